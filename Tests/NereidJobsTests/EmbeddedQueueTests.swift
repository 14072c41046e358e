// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import NereidImaging
import NereidInference
import NereidModels
import NereidVision
import Testing

@testable import NereidJobs

@Suite("Embedded queue")
struct EmbeddedQueueTests {
    static func queue(_ limits: QueueLimits = .init()) -> EmbeddedQueue {
        EmbeddedQueue(worker: Worker(imaging: Fixtures.imaging), limits: limits)
    }

    @Test("answers a job with what the model sees and where the time went")
    func answer() async throws {
        let model = try await Fixtures.served("blocks-v8")
        let queue = Self.queue()
        let answer = try await queue.submit(Job(Fixtures.picture(column: 3, row: 2), for: model))
        #expect(answer.detections.map(\.label) == ["red"])
        #expect(answer.detections[0].box == Box(x1: 48, y1: 32, x2: 64, y2: 48))
        #expect(answer.size == PixelSize(width: 160, height: 160))
        #expect(answer.picture == nil)
        let timing = answer.timing
        #expect(timing.queue > .zero && timing.decode > .zero && timing.inference > .zero)
        await queue.becomes(model) { $0 == .idle }
    }

    @Test("answers many at once as it answers them one by one")
    func manyAtOnce() async throws {
        let model = try await Fixtures.served("blocks-v8")
        let queue = Self.queue()
        let pictures = try (0..<20).map { try Fixtures.picture(column: $0 % 10, row: $0 / 10) }
        let together = try await withThrowingTaskGroup(of: (Int, [Detection]).self) { group in
            for (index, picture) in pictures.enumerated() {
                group.addTask { (index, try await queue.submit(Job(picture, for: model)).detections) }
            }
            return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        for (index, picture) in pictures.enumerated() {
            let alone = try await queue.submit(Job(picture, for: model)).detections
            #expect(together[index] == alone)
            let (x, y) = (Float(index % 10 * 16), Float(index / 10 * 16))
            #expect(alone.map(\.box) == [Box(x1: x, y1: y, x2: x + 16, y2: y + 16)])
        }
    }

    @Test("runs pictures of one batch together, and a bad one fails alone")
    func badPicture() async throws {
        let model = try await Fixtures.served("blocks-v8", maxBatch: 4)
        let queue = Self.queue()
        let pictures = [try Fixtures.picture(), ByteBuffer(string: "not a picture"), try Fixtures.picture(column: 1)]
        let answers = await withTaskGroup(of: (Int, Result<JobAnswer, any Error>).self) { group in
            for (index, picture) in pictures.enumerated() {
                group.addTask {
                    do {
                        return (index, .success(try await queue.submit(Job(picture, for: model))))
                    } catch {
                        return (index, .failure(error))
                    }
                }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        #expect(try answers[0]?.get().detections.count == 1)
        #expect(throws: ImagingError.notAPicture) { try answers[1]?.get() }
        #expect(try answers[2]?.get().detections.map(\.box.x1) == [16])
    }

    @Test("refuses jobs, saying why, while a slow model has as many waiting as may")
    func fullOfJobs() async throws {
        let model = try await Fixtures.served("slow")
        let refusals = await Self.refusals(QueueLimits(jobs: 1), model, of: 12)
        #expect(!refusals.isEmpty)
        let expected = JobError.queueFull(model: "slow", limit: "at most 1 may wait", setting: "queue_jobs")
        #expect(refusals.allSatisfy { $0 == expected })
    }

    @Test("refuses jobs, saying why, while a slow model has as many bytes waiting as may")
    func fullOfBytes() async throws {
        let model = try await Fixtures.served("slow")
        let refusals = await Self.refusals(QueueLimits(bytes: 1), model, of: 12)
        #expect(!refusals.isEmpty)
        let expected = JobError.queueFull(
            model: "slow",
            limit: "at most 1 bytes of pictures may wait",
            setting: "queue_bytes"
        )
        #expect(refusals.allSatisfy { $0 == expected })
    }

    @Test("stops a run of the engine when its job is cancelled")
    func stopsEngine() async throws {
        let model = try await Fixtures.served("slow")
        let queue = Self.queue()
        let task = Task { try await queue.submit(Job(Fixtures.picture(), for: model)) }
        await queue.becomes(model) { $0.running == 1 }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        await queue.becomes(model) { $0 == .idle }
        #expect(try await queue.submit(Job(Fixtures.picture(), for: model)).detections.count == 1)
    }

    /// How a queue refuses the last of many jobs that come at once; the others are given up then.
    private static func refusals(_ limits: QueueLimits, _ model: ServedModel, of count: Int) async -> [JobError] {
        let queue = queue(limits)
        return await withTaskGroup(of: JobError?.self) { group in
            for _ in 0..<count {
                group.addTask {
                    do {
                        _ = try await queue.submit(Job(Fixtures.picture(), for: model))
                        return nil
                    } catch {
                        return error as? JobError
                    }
                }
            }
            var refusals: [JobError] = []
            for await case let refusal? in group {
                refusals.append(refusal)
                group.cancelAll()
            }
            return refusals
        }
    }
}
