// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import NereidImaging
import NereidModels
import NereidVision
import Testing

@testable import NereidJobs

@Suite("Worker")
struct WorkerTests {
    static let worker = Worker(imaging: Fixtures.imaging)

    @Test("has an answer for each job, in their order", arguments: [1, 4])
    func order(maxBatch: Int) async throws {
        let model = try await Fixtures.served("blocks-v8", maxBatch: maxBatch)
        let jobs = try (0..<6).map { Job(try Fixtures.picture(column: $0), for: model) }
        let answers = try await Self.worker.run(jobs).map { try $0.get() }
        #expect(answers.map { $0.detections.map(\.box.x1) } == (0..<6).map { [Float($0 * 16)] })
        #expect(await Self.worker.run([]).isEmpty)
    }

    @Test("fails the jobs whose pictures can't be decoded, and no others")
    func badPictures() async throws {
        let model = try await Fixtures.served("blocks-v8", maxBatch: 4)
        var cutShort = try Fixtures.picture()
        cutShort.moveWriterIndex(to: cutShort.writerIndex / 2)
        let pictures = [ByteBuffer(string: "x"), try Fixtures.picture(), cutShort, try Fixtures.picture(column: 2)]
        let answers = await Self.worker.run(pictures.map { Job($0, for: model) })
        #expect(throws: ImagingError.notAPicture) { try answers[0].get() }
        #expect(try answers[1].get().detections.count == 1)
        #expect(throws: ImagingError.self) { try answers[2].get() }
        #expect(try answers[3].get().detections.map(\.box.x1) == [32])
        let none = await Self.worker.run([Job(ByteBuffer(), for: model)])
        #expect(throws: ImagingError.emptyFile) { try none[0].get() }
    }

    @Test("applies each job's own options within a batch")
    func options() async throws {
        let model = try await Fixtures.served("blocks-v8", maxBatch: 4)
        let picture = try Fixtures.picture()
        let jobs = [PredictionOptions(), .init(classes: [1])].map { Job(picture, for: model, options: $0) }
        let answers = try await Self.worker.run(jobs).map { try $0.get() }
        #expect(answers.map(\.detections.count) == [1, 0])
    }

    @Test("keeps the picture for those who want to draw on it")
    func keepsPicture() async throws {
        let model = try await Fixtures.served("blocks-v8")
        let job = Job(try Fixtures.picture(width: 96, height: 64), for: model, keepsPicture: true)
        let answer = try await Self.worker.run([job])[0].get()
        #expect(answer.picture?.size == PixelSize(width: 96, height: 64))
        #expect(answer.size == PixelSize(width: 96, height: 64))
    }

    @Test("holds pictures to its limits")
    func limits() async throws {
        let model = try await Fixtures.served("blocks-v8")
        let worker = Worker(imaging: Fixtures.imaging, limits: DecodingLimits(side: 159))
        let answers = await worker.run([Job(try Fixtures.picture(), for: model)])
        #expect(throws: ImagingError.tooLarge(.side, value: 160, limit: 159)) { try answers[0].get() }
    }

    @Test("ends with its task")
    func cancellation() async throws {
        let model = try await Fixtures.served("slow")
        let picture = try Fixtures.picture()
        let task = Task { await Self.worker.run([Job(picture, for: model)]) }
        task.cancel()
        let answers = await task.value
        #expect(throws: CancellationError.self) { try answers[0].get() }
    }

    @Test("ends at the latest deadline of its jobs, whatever they wait for")
    func deadline() async throws {
        let engine = GatedEngine()
        let model = try await Fixtures.served("gated", on: engine, maxBatch: 2)
        // A run that never ends by itself.
        engine.gate.close()
        let picture = try Fixtures.picture()
        let jobs = [Job(picture, for: model, within: .zero), Job(picture, for: model, within: .milliseconds(1))]
        for answer in await Self.worker.run(jobs) {
            #expect(throws: JobError.deadlinePassed(model: "gated", hadBegun: true)) { try answer.get() }
        }
        engine.gate.open()
    }

    @Test("runs pictures of a batch that find no memory after the others, which hold it", arguments: [false, true])
    func memory(keepsPicture: Bool) async throws {
        let model = try await Fixtures.served("blocks-v8", maxBatch: 4)
        // A PNG of 160 × 160 takes 153,600 bytes and keeps 76,800; one that is drawn on takes and keeps 230,400. There is room
        // for one of them at a time.
        let pool = ImagingPool(threads: 2, memory: keepsPicture ? 320_000 : 204_800)
        let queue = EmbeddedQueue(worker: Worker(imaging: pool))
        let pictures = try (0..<6).map { try Fixtures.picture(column: $0) }
        let found = try await withThrowingTaskGroup(of: (Int, [Float]).self) { group in
            for (index, picture) in pictures.enumerated() {
                group.addTask {
                    let job = Job(picture, for: model, keepsPicture: keepsPicture)
                    return (index, try await queue.submit(job).detections.map(\.box.x1))
                }
            }
            return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        #expect(found == Dictionary(uniqueKeysWithValues: (0..<6).map { ($0, [Float($0 * 16)]) }))
        if !keepsPicture {
            let together = await Worker(imaging: pool).run(pictures.map { Job($0, for: model) })
            #expect(try together.map { try $0.get().detections.map(\.box.x1) } == (0..<6).map { [Float($0 * 16)] })
        }
        await pool.shutDown()
    }

    @Test("gives an answer without its picture to those who need it no more")
    func withoutPicture() async throws {
        let model = try await Fixtures.served("blocks-v8")
        let answer = try await Self.worker.run([Job(try Fixtures.picture(), for: model, keepsPicture: true)])[0].get()
        #expect(answer.picture != nil && answer.withoutPicture().picture == nil)
        #expect(answer.withoutPicture().detections == answer.detections)
    }
}
