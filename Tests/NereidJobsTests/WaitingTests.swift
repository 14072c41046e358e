// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidInference
import NereidModels
import NereidVision
import Testing

@testable import NereidJobs

/// What becomes of jobs while they wait, on an engine that runs when the test says so.
@Suite("Waiting in the embedded queue")
struct WaitingTests {
    let engine = GatedEngine()
    var gate: Gate { engine.gate }

    /// A model with one instance, hence two workers, whose gate is closed.
    func model(maxBatch: Int = 1) async throws -> ServedModel {
        let model = try await Fixtures.served("gated", on: engine, maxBatch: maxBatch)
        gate.close()
        return model
    }

    /// Jobs that come one after another.
    func submit(
        _ count: Int,
        to queue: EmbeddedQueue,
        for model: ServedModel,
        lane: Lane = .interactive
    ) async -> [Task<JobAnswer, any Error>] {
        var tasks: [Task<JobAnswer, any Error>] = []
        for _ in 0..<count {
            let before = queue.load(of: model.name)
            tasks.append(Task { try await queue.submit(Job(Fixtures.picture(), for: model, lane: lane)) })
            await queue.becomes(model) { $0.running + $0.waiting > before.running + before.waiting }
        }
        return tasks
    }

    /// Both workers hold a job at the gate, and further ones wait.
    func occupied(_ queue: EmbeddedQueue, for model: ServedModel, waiting: Int = 0) async
        -> [Task<JobAnswer, any Error>]
    {
        var batches = gate.batches.makeAsyncIterator()
        let running = await submit(2, to: queue, for: model)
        for _ in 0..<2 { _ = await batches.next() }
        return running + (await submit(waiting, to: queue, for: model))
    }

    @Test("refuses the job after the last that may wait, and takes jobs again later")
    func jobLimit() async throws {
        let model = try await model()
        let queue = EmbeddedQueueTests.queue(QueueLimits(jobs: 2))
        let jobs = await occupied(queue, for: model, waiting: 2)
        #expect(queue.load(of: "gated").waiting == 2)
        await #expect(throws: JobError.queueFull(model: "gated", limit: "at most 2 may wait", setting: "queue_jobs")) {
            try await queue.submit(Job(Fixtures.picture(), for: model))
        }
        gate.open()
        for job in jobs { #expect(try await job.value.detections.isEmpty) }
        await queue.becomes(model) { $0 == .idle }
        _ = try await queue.submit(Job(Fixtures.picture(), for: model))
    }

    @Test("refuses bytes beyond those that may wait")
    func byteLimit() async throws {
        let model = try await model()
        let size = try Fixtures.picture().readableBytes
        let queue = EmbeddedQueueTests.queue(QueueLimits(bytes: 2 * size))
        let jobs = await occupied(queue, for: model, waiting: 2)
        #expect(queue.load(of: "gated") == QueueLoad(waiting: 2, waitingBytes: 2 * size, running: 2))
        let limit = "at most \(2 * size) bytes of pictures may wait"
        await #expect(throws: JobError.queueFull(model: "gated", limit: limit, setting: "queue_bytes")) {
            try await queue.submit(Job(Fixtures.picture(), for: model))
        }
        gate.open()
        for job in jobs { _ = try await job.value }
    }

    @Test("has a line for each model: a full one keeps nobody else out")
    func otherModels() async throws {
        let model = try await model()
        let queue = EmbeddedQueueTests.queue(QueueLimits(jobs: 1))
        let jobs = await occupied(queue, for: model, waiting: 1)
        let other = try await Fixtures.served("blocks-v8")
        #expect(try await queue.submit(Job(Fixtures.picture(), for: other)).detections.count == 1)
        gate.open()
        for job in jobs { _ = try await job.value }
    }

    @Test("gives up a job whose deadline passes while it waits, and never runs it")
    func deadlineBefore() async throws {
        let model = try await model()
        let queue = EmbeddedQueueTests.queue()
        let jobs = await occupied(queue, for: model)
        await #expect(throws: JobError.deadlinePassed(model: "gated", hadBegun: false)) {
            try await queue.submit(Job(Fixtures.picture(), for: model, within: .milliseconds(1)))
        }
        #expect(queue.load(of: "gated") == QueueLoad(waiting: 0, waitingBytes: 0, running: 2))
        gate.open()
        for job in jobs { _ = try await job.value }
    }

    @Test("answers a job at once whose deadline has passed before it comes", arguments: 0..<20)
    func deadlinePast(round: Int) async throws {
        let model = try await model()
        let queue = EmbeddedQueueTests.queue()
        let error = await #expect(throws: JobError.self) {
            try await queue.submit(Job(Fixtures.picture(), for: model, within: .zero))
        }
        guard case .deadlinePassed("gated", _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        await queue.becomes(model) { $0 == .idle }
    }

    @Test("stops a run whose deadline passes, and says that it had begun")
    func deadlineDuring() async throws {
        let model = try await model()
        let queue = EmbeddedQueueTests.queue()
        let error = await #expect(throws: JobError.self) {
            try await queue.submit(Job(Fixtures.picture(), for: model, within: .milliseconds(300)))
        }
        await queue.becomes(model) { $0 == .idle }
        // On a machine so busy that the run has not begun by then, the job ends all the same.
        let hadBegun = gate.cancelled == 1
        if hadBegun { #expect(error == .deadlinePassed(model: "gated", hadBegun: true)) }
        guard case .deadlinePassed = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test("forgets a job that is cancelled while it waits")
    func cancelledBefore() async throws {
        let model = try await model()
        let queue = EmbeddedQueueTests.queue()
        var jobs = await occupied(queue, for: model, waiting: 2)
        let cancelled = jobs.remove(at: 2)
        cancelled.cancel()
        await #expect(throws: CancellationError.self) { try await cancelled.value }
        #expect(queue.load(of: "gated").waiting == 1)
        gate.open()
        for job in jobs { _ = try await job.value }
        #expect(gate.cancelled == 0)
    }

    @Test("stops the run of a job that is cancelled, whose answer nobody waits for")
    func cancelledDuring() async throws {
        let model = try await model()
        let queue = EmbeddedQueueTests.queue()
        let jobs = await occupied(queue, for: model)
        jobs[0].cancel()
        await #expect(throws: CancellationError.self) { try await jobs[0].value }
        await queue.becomes(model) { $0.running == 1 }
        #expect(gate.cancelled == 1)
        gate.open()
        _ = try await jobs[1].value
    }

    @Test("does not take a job from a task that is cancelled already")
    func cancelledAlready() async throws {
        let model = try await model()
        let queue = EmbeddedQueueTests.queue()
        let job = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await queue.submit(Job(Fixtures.picture(), for: model))
        }
        await #expect(throws: CancellationError.self) { try await job.value }
        await queue.becomes(model) { $0 == .idle }
    }

    @Test("a person's job overtakes the bulk jobs that wait")
    func overtaking() async throws {
        let model = try await model()
        let queue = EmbeddedQueueTests.queue(QueueLimits(jobs: 4))
        var batches = gate.batches.makeAsyncIterator()
        let running = await submit(2, to: queue, for: model, lane: .bulk)
        for _ in 0..<2 { _ = await batches.next() }
        let waiting = await submit(4, to: queue, for: model, lane: .bulk)
        let refusal = JobError.queueFull(model: "gated", limit: "at most 4 may wait", setting: "queue_jobs")
        await #expect(throws: refusal) { try await queue.submit(Job(Fixtures.picture(), for: model, lane: .bulk)) }
        // The lane of bulk jobs is full, and still the person's job comes in, and is the next to be run.
        let person = await submit(1, to: queue, for: model)[0]
        running[0].cancel()
        _ = await running[0].result
        #expect(await batches.next() == 1)
        running[1].cancel()
        for job in waiting { job.cancel() }
        for job in waiting { await #expect(throws: CancellationError.self) { try await job.value } }
        gate.open()
        #expect(try await person.value.detections.isEmpty)
    }

    @Test("puts waiting jobs for one version of a model into one batch")
    func batches() async throws {
        let model = try await model(maxBatch: 4)
        let queue = EmbeddedQueueTests.queue()
        let jobs = await occupied(queue, for: model, waiting: 5)
        gate.open()
        for job in jobs { _ = try await job.value }
        // Both workers held one; then one of them took four and the other, or the same, the last.
        #expect(gate.passed.sorted() == [1, 1, 1, 4])
    }

    @Test("does not put jobs for two versions of a model into one batch")
    func versions() async throws {
        let old = try await model(maxBatch: 4)
        let queue = EmbeddedQueueTests.queue()
        let running = await occupied(queue, for: old)
        let new = ServedModel(name: old.name, aliases: [], path: old.path, vision: old.vision)
        var jobs = await submit(1, to: queue, for: old)
        jobs += await submit(2, to: queue, for: new)
        jobs += await submit(1, to: queue, for: old)
        gate.open()
        for job in running + jobs { _ = try await job.value }
        #expect(gate.passed.sorted() == [1, 1, 1, 1, 2])
    }

    @Test("goes on with a batch as long as somebody waits for one of its answers")
    func partOfBatch() async throws {
        let model = try await model(maxBatch: 2)
        let queue = EmbeddedQueueTests.queue()
        let first = await occupied(queue, for: model, waiting: 2)
        // The second batch: the two that waited, at a gate that is closed again at once.
        var batches = gate.batches.makeAsyncIterator()
        first[0].cancel()
        _ = await first[0].result
        #expect(await batches.next() == 2)
        first[2].cancel()
        await #expect(throws: CancellationError.self) { try await first[2].value }
        gate.open()
        #expect(try await first[3].value.detections.isEmpty)
        #expect(gate.cancelled == 1)
    }

    @Test("passes on what the engine says of a run that fails")
    func failure() async throws {
        let model = try await model()
        let queue = EmbeddedQueueTests.queue()
        let jobs = await occupied(queue, for: model, waiting: 1)
        let failure = InferenceError.runFailed(model: "gated", reason: "out of memory")
        gate.open(failing: failure)
        for job in jobs { await #expect(throws: failure) { try await job.value } }
        await queue.becomes(model) { $0 == .idle }
    }
}
