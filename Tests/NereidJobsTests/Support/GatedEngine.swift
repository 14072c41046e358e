// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidInference
import Synchronization

/// An engine whose runs wait until they are let go, so that a test decides what happens meanwhile.
///
/// Its sessions answer like a YOLOv8 with three classes that sees nothing.
final class GatedEngine: Engine {
    let name = "Gate"
    let version = "1"
    let devices = [Device.cpu]
    let gate = Gate()

    func makeSession(_ graph: GraphSource, options: SessionOptions) async throws -> any Session {
        GatedSession(gate: gate)
    }
}

struct GatedSession: Session {
    let gate: Gate
    let device = Device.cpu
    let engineName = "Gate 1"
    let instances = 1
    let busyInstances = 0
    let threads = 1

    let graph = GraphDescription(
        inputs: [
            TensorDescription(
                name: "images",
                elementType: .float32,
                shape: [.free(name: "batch"), .fixed(3), .free(name: "height"), .free(name: "width")]
            )
        ],
        outputs: [TensorDescription(name: "output0", elementType: .float32, shape: [.fixed(1)])],
        metadata: ["names": "{0: 'red', 1: 'green', 2: 'blue'}"]
    )

    /// The boxes of the cells of a picture of 160 × 160, as planes, and scores of 0: what tells that boxes are decoded.
    private static let cells: [Float] = {
        var planes = [[Float]](repeating: [], count: 4)
        for stride in [8, 16, 32] {
            for cell in 0..<(160 / stride) * (160 / stride) {
                let (row, column) = cell.quotientAndRemainder(dividingBy: 160 / stride)
                planes[0].append((Float(column) + 0.5) * Float(stride))
                planes[1].append((Float(row) + 0.5) * Float(stride))
                planes[2].append(Float(stride))
                planes[3].append(Float(stride))
            }
        }
        return planes.flatMap { $0 } + [Float](repeating: 0, count: 3 * 525)
    }()

    func run(_ inputs: [Tensor]) async throws -> SessionRun {
        let batch = inputs[0].shape[0]
        try await gate.pass(batch)
        return SessionRun(
            outputs: [try Tensor((0..<batch).flatMap { _ in Self.cells }, shape: [batch, 7, 525])],
            waited: .zero,
            ran: .milliseconds(1)
        )
    }

    func shutDown() async {}
}

/// What runs wait at. It stands open until it is closed.
final class Gate: Sendable {
    private struct State {
        var isOpen = true
        var failure: InferenceError?
        var waiting: [Int: CheckedContinuation<Void, any Error>] = [:]
        var arrivals = 0
        var passed: [Int] = []
        var cancelled = 0
    }

    private let state = Mutex(State())
    /// The size of each batch that has come to the closed gate.
    let batches: AsyncStream<Int>
    private let batch: AsyncStream<Int>.Continuation

    init() {
        (batches, batch) = AsyncStream.makeStream()
    }

    /// The sizes of the batches that have gone through since the gate was closed.
    var passed: [Int] { state.withLock { $0.passed } }

    /// How many runs were cancelled at the gate.
    var cancelled: Int { state.withLock { $0.cancelled } }

    func close() { state.withLock { ($0.isOpen, $0.passed) = (false, []) } }

    /// Lets all runs go, now and from now on.
    func open(failing failure: InferenceError? = nil) {
        let waiting = state.withLock { state in
            (state.isOpen, state.failure) = (true, failure)
            defer { state.waiting = [:] }
            return state.waiting.values
        }
        for continuation in waiting { continuation.resume(with: failure.map { .failure($0) } ?? .success(())) }
    }

    fileprivate func pass(_ size: Int) async throws {
        let number = state.withLock { state in
            state.arrivals += 1
            return state.arrivals
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let (isOpen, failure) = state.withLock { state in
                    if !state.isOpen { state.waiting[number] = continuation }
                    return (state.isOpen, state.failure)
                }
                if isOpen {
                    continuation.resume(with: failure.map { .failure($0) } ?? .success(()))
                } else {
                    batch.yield(size)
                    // A cancellation that came before the run was at the gate has found nobody there.
                    if Task.isCancelled { cancel(number) }
                }
            }
        } onCancel: {
            cancel(number)
        }
        state.withLock { $0.passed.append(size) }
    }

    private func cancel(_ number: Int) {
        let continuation = state.withLock { state in
            let continuation = state.waiting.removeValue(forKey: number)
            if continuation != nil { state.cancelled += 1 }
            return continuation
        }
        continuation?.resume(throwing: CancellationError())
    }
}
