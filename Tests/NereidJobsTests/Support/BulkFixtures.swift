// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NIOCore
import NereidImaging
import NereidVision
import Synchronization
import TestSupport

@testable import NereidJobs

/// A clock that stands still until it is set forward.
final class StandingClock: Sendable {
    private let time = Mutex(Date(timeIntervalSince1970: 1_700_000_000))

    var now: Date { time.withLock(\.self) }

    func goOn(by seconds: Double) { time.withLock { $0 += seconds } }
}

/// A folder of jobs for one test.
struct BulkFixture {
    let folder: TemporaryFolder
    let clock = StandingClock()

    init() throws {
        folder = try TemporaryFolder()
    }

    var path: String { folder.path + "/jobs" }

    func open(
        at path: String? = nil,
        _ limits: BulkLimits = .init(),
        document: BulkDocumentWriter? = nil,
        space: DiskSpace = .system,
        reservedBytes: Int = 1 << 20
    ) async throws -> DatabaseJobStore {
        try await DatabaseJobStore(
            folder: path ?? self.path,
            limits: limits,
            document: document,
            space: space,
            reservedBytes: reservedBytes,
            clock: { [clock] in clock.now }
        )
    }

    /// What another process would find, did this one end now: nothing is closed, nothing is told.
    func afterCrash(copy number: Int = 1, from path: String? = nil) async throws -> DatabaseJobStore {
        let copy = folder.path + "/copy\(number)"
        try FileManager.default.createDirectory(atPath: copy, withIntermediateDirectories: false)
        for file in ["jobs.sqlite", "jobs.sqlite-wal"] {
            try FileManager.default.copyItem(atPath: (path ?? self.path) + "/" + file, toPath: copy + "/" + file)
        }
        return try await open(at: copy)
    }
}

extension BulkOrder {
    /// An order of small pictures whose bytes are their places.
    static func small(
        _ count: Int,
        model: String = "demo",
        options: PredictionOptions = .init(),
        webhook: String? = nil,
        key: String? = nil
    ) -> BulkOrder {
        BulkOrder(
            model: model,
            pictures: (0..<count).map { Picture(name: "\($0).png", bytes: ByteBuffer(string: "picture \($0)")) },
            options: options,
            webhook: webhook,
            idempotencyKey: key
        )
    }
}

extension JobAnswer {
    /// One red box with a score.
    static func box(score: Float = 0.5) -> JobAnswer {
        JobAnswer(
            task: .detect,
            detections: [Detection(box: Fixtures.redBox, score: score, classID: 0, label: "red")],
            classifications: [],
            size: PixelSize(width: 160, height: 160),
            picture: nil,
            timing: JobTiming(queue: .zero, decode: .zero, inference: .milliseconds(1), postprocessing: .zero)
        )
    }
}

extension DatabaseJobStore {
    /// The number of the job that was accepted last.
    func lastNumber() async throws -> Int64 {
        try await unfinished(after: 0).last?.number ?? 0
    }

    /// Answers pictures one after another.
    func answer(_ positions: some Sequence<Int>, of number: Int64) async throws {
        for position in positions { try await record(.success(.box()), for: position, of: number) }
    }

    /// Waits until a job is done.
    func finished(_ id: String) async throws -> BulkJob {
        while let job = try await job(id) {
            if job.finished != nil { return job }
            try await waitForChange(of: id, after: job.done, until: .now + .seconds(60))
        }
        throw BulkError.notFound(id: id)
    }
}
