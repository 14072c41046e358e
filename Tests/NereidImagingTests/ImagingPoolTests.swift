// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import Synchronization
import Testing

@testable import NereidImaging

/// A value that several threads look at.
private final class Guarded<Value: Sendable>: Sendable {
    private let value: Mutex<Value>

    init(_ value: Value) {
        self.value = Mutex(value)
    }

    func withLock<R: Sendable>(_ body: (inout Value) -> R) -> R {
        value.withLock { value in body(&value) }
    }
}

@Suite("Imaging pool")
struct ImagingPoolTests {
    @Test("decodes, and hands errors through")
    func decode() async throws {
        let pool = ImagingPool(threads: 1)
        let picture = try Picture.noise(width: 12, height: 7)
        let decoded = try await pool.decode(picture.encoded(as: .png))
        #expect(decoded.pixels == picture.pixels)
        await #expect(throws: ImagingError.notAPicture) {
            try await pool.decode(ByteBuffer(string: "no picture"))
        }
        await pool.shutDown()
    }

    @Test("decodes many pictures of all kinds at once")
    func concurrentDecoding() async throws {
        let pool = ImagingPool(threads: 4)
        let picture = try Picture.noise(width: 40, height: 30)
        let files = try [
            picture.encoded(as: .png), picture.encoded(as: .jpeg(quality: 90)), ByteBuffer(bytes: SmallFiles.gif),
        ]
        let expected = try files.map { try Picture(decoding: $0).pixels }
        try await withThrowingTaskGroup(of: (Int, [UInt8]).self) { group in
            for index in 0..<150 {
                group.addTask {
                    try await (index % 3, pool.decode(files[index % 3]).pixels)
                }
            }
            for try await (index, pixels) in group {
                #expect(pixels == expected[index])
            }
        }
        await pool.shutDown()
    }

    @Test("runs no more at once than it has threads", arguments: [1, 3])
    func bound(threads: Int) async throws {
        let pool = ImagingPool(threads: threads)
        let running = Guarded((now: 0, most: 0))
        // A gate that opens when as many as there are threads have come holds each thread until all are busy.
        let arrived = Guarded(0)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<threads * 10 {
                group.addTask {
                    try await pool.run {
                        running.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1)) }
                        arrived.withLock { $0 += 1 }
                        while arrived.withLock({ $0 < threads }) {}
                        running.withLock { $0.now -= 1 }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(running.withLock { $0.most } == threads)
        await pool.shutDown()
    }

    @Test("does not start work whose task was cancelled while it waited")
    func cancellation() async throws {
        let pool = ImagingPool(threads: 1)
        let started = Guarded(false)
        let gate = Guarded(false)
        let ran = Guarded(false)
        let blocker = Task {
            try await pool.run {
                started.withLock { $0 = true }
                while !gate.withLock({ $0 }) {}
                return 7
            }
        }
        while !started.withLock({ $0 }) { await Task.yield() }
        let waiting = Task {
            try await pool.run { ran.withLock { $0 = true } }
        }
        waiting.cancel()
        // Work that has started is not taken back.
        blocker.cancel()
        gate.withLock { $0 = true }
        #expect(try await blocker.value == 7)
        await #expect(throws: CancellationError.self) { try await waiting.value }
        #expect(!ran.withLock { $0 })
        await pool.shutDown()
    }

    @Test("hands an error of the work through, even a cancellation")
    func errors() async {
        let pool = ImagingPool(threads: 1)
        await #expect(throws: CancellationError.self) {
            try await pool.run { throw CancellationError() }
        }
        await pool.shutDown()
    }

    @Test("refuses work once it is shut down")
    func shutDown() async {
        let pool = ImagingPool(threads: 2)
        await pool.shutDown()
        await pool.shutDown()
        await #expect(throws: ImagingError.poolIsShutDown) {
            try await pool.run {}
        }
    }

    @Test("can be dropped without being shut down")
    func dropped() async throws {
        #expect(try await ImagingPool(threads: 1).run { 1 } == 1)
    }
}
