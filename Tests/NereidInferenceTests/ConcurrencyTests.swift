// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidInference

@Suite struct ConcurrencyTests {
    private static let closed = InferenceError.sessionClosed(model: "gate")

    @Test(arguments: [(2, 1), (2, 2), (1, 2)])
    func concurrentRunsGiveTheAnswersOfSerialOnes(instances: Int, threads: Int) async throws {
        let session = try await Fixtures.session("blocks-v8", instances: instances, threads: threads)
        let answers = try await withThrowingTaskGroup { group in
            for task in 0..<64 {
                group.addTask {
                    let input = try Fixtures.input(cell: task, colour: task % 3)
                    let run = try await session.run([input])
                    return (task, try Fixtures.blocks(in: run.outputs[0], of: Float.self))
                }
            }
            return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        #expect(answers.count == 64)
        for (task, blocks) in answers { #expect(blocks == [[task, task % 3]]) }
    }

    @Test(arguments: [1, 2])
    func noMoreRunsProceedThanThereAreInstances(instances: Int) async throws {
        let session = try await Fixtures.session("slow", instances: instances)
        let input = try Tensor(zeros: .float32, shape: [1, 3, 16, 16])
        let clock = ContinuousClock()
        let started = clock.now
        let runs = try await withThrowingTaskGroup { group in
            for _ in 0..<4 { group.addTask { try await session.run([input]) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        let elapsed = started.duration(to: clock.now)
        #expect(runs.reduce(.zero) { $0 + $1.ran } <= elapsed * instances)
        for run in runs { #expect(run.waited + run.ran <= elapsed) }
    }

    @Test func aTaskCancelledBeforehandNeverRuns() async throws {
        let session = try await Fixtures.session("slow")
        let input = try Tensor(zeros: .float32, shape: [1, 3, 16, 16])
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await session.run([input])
        }
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    /// A run of this graph would not end in a lifetime: that the test ends is the proof.
    @Test(.timeLimit(.minutes(2))) func aTaskCancelledMeanwhileIsStopped() async throws {
        let session = try await Fixtures.session("endless")
        let input = try Tensor(zeros: .float32, shape: [1, 3, 16, 16])
        for pause in [Duration.milliseconds(50), .milliseconds(1), .zero] {
            let task = Task { try await session.run([input]) }
            // The middle of a run cannot be awaited; wherever it is stopped, it must stop.
            try await Task.sleep(for: pause)
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
        }
        await session.shutDown()
    }

    @Test func aRunIsStoppedBeforeItStarts() async throws {
        let library = try ONNXRuntimeLibrary(path: ONNXRuntimeEngine.locate())
        let graph = try ONNXRuntimeGraph(Fixtures.source("slow"), library: library, device: .cpu, threads: 1)
        let control = try ONNXRuntimeRunControl(library: library)
        control.cancel()
        let input = try Tensor(zeros: .float32, shape: [1, 3, 16, 16])
        #expect(throws: CancellationError.self) { try graph.run([input], control: control) }
    }

    @Test func aWaiterLeavesAsSoonAsItIsCancelled() async throws {
        let gate = InstanceGate(instances: 1, closedError: Self.closed)
        let instance = try await gate.take()
        let waiter = Task { try await gate.take() }
        await Task.yield()
        waiter.cancel()
        await #expect(throws: CancellationError.self) { try await waiter.value }
        gate.giveBack(instance)
        #expect(try await gate.take() == instance)
    }

    @Test func aClosedGateRefusesWaitersAndLatecomers() async throws {
        let gate = InstanceGate(instances: 1, closedError: Self.closed)
        _ = try await gate.take()
        let waiter = Task { try await gate.take() }
        await Task.yield()
        gate.close()
        await #expect(throws: Self.closed) { try await waiter.value }
        await #expect(throws: Self.closed) { try await gate.take() }
    }

    @Test func aSessionThatWasShutDownRefusesRuns() async throws {
        let session = try await Fixtures.session("blocks-v8")
        await session.shutDown()
        await session.shutDown()
        let error = InferenceError.sessionClosed(model: "blocks-v8")
        await #expect(throws: error) { try await session.run([Fixtures.input(cell: 0, colour: 0)]) }
        #expect("\(error)" == "model ‘blocks-v8’ was unloaded; load it again to use it")
    }

    @Test func shuttingDownFinishesWhatHasStarted() async throws {
        let session = try await Fixtures.session("slow")
        let input = try Tensor(zeros: .float32, shape: [1, 3, 16, 16])
        let tasks = (0..<3).map { _ in Task { try await session.run([input]) } }
        await Task.yield()
        await session.shutDown()
        for task in tasks {
            switch await task.result {
            case .success(let run): #expect(run.outputs[0].shape == [1, 7, 1])
            case .failure(let error): #expect(error as? InferenceError == .sessionClosed(model: "slow"))
            }
        }
    }
}
