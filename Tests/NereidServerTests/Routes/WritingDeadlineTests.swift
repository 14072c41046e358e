// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import HTTPTypes
import HummingbirdTesting
import NIOCore
import NereidImaging
import NereidVision
import Testing

@testable import NereidJobs
@testable import NereidServer

@Suite("Answers that can't be written by the deadline")
struct WritingDeadlineTests {
    /// A queue whose answers come exactly when their time is over.
    static func queue(_ detections: [Detection]) -> StubQueue {
        StubQueue { job in
            try await Task.sleep(until: job.deadline, clock: .continuous)
            return JobAnswer(
                task: .segment,
                detections: detections,
                classifications: [],
                size: PixelSize(width: 6, height: 4),
                picture: try Picture(width: 6, height: 4, pixels: [UInt8](repeating: 9, count: 72)),
                timing: JobTiming(queue: .zero, decode: .zero, inference: .zero, postprocessing: .zero)
            )
        }
    }

    @Test(
        "end with 504: masks as JSON and as CSV, and drawn pictures",
        arguments: ["", "?format=csv", "?annotate=png"]
    )
    func deadline(query: String) async throws {
        var detection = TaskDocumentTests.plain
        detection.mask = Mask(size: PixelSize(width: 6, height: 4), counts: [5, 2, 3, 2, 12])
        let server = try await TestServer(queue: Self.queue([detection])) {
            $0.requestTimeout = .seconds(2)
        }
        try await server.test { client in
            let path = PredictRouteTests.path + query
            try await client.execute(uri: path, method: .post, body: TestPicture.blocks()) {
                #expect($0.status == .gatewayTimeout)
                #expect($0.json.code == "deadline_passed")
                #expect($0.json.detail.string?.contains("‘blocks’") == true)
            }
        }
    }

    @Test("are written all the same where it takes no time")
    func short() async throws {
        let server = try await TestServer(queue: Self.queue([TaskDocumentTests.plain])) {
            $0.requestTimeout = .seconds(2)
        }
        try await server.test { client in
            try await client.execute(uri: PredictRouteTests.path, method: .post, body: TestPicture.blocks()) {
                #expect($0.status == .ok)
            }
        }
    }
}
