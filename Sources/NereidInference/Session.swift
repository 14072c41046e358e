// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// One loaded graph.
public protocol Session: Sendable {
    /// What the graph takes, gives and says about itself.
    var graph: GraphDescription { get }
    /// Where it computes; never ``Device/auto``.
    var device: Device { get }
    /// The engine's name and version, such as `ONNX Runtime 1.32.0`.
    var engineName: String { get }
    /// How many runs proceed at the same time; further ones wait in the order in which they came.
    var instances: Int { get }
    /// How many of them run at this moment.
    var busyInstances: Int { get }
    /// How many threads share the arithmetic of one run.
    var threads: Int { get }

    /// Runs the graph on a thread of the session's own.
    ///
    /// A task that is cancelled while it waits for a free instance never runs; one that is cancelled while it runs is
    /// stopped between two nodes of the graph.
    ///
    /// - Parameter inputs: One tensor for each of `graph.inputs`, in that order.
    /// - Throws: ``InferenceError`` when a tensor does not fit (before the engine is called), when the engine fails, or
    ///   after ``shutDown()``; `CancellationError`.
    func run(_ inputs: [Tensor]) async throws -> SessionRun

    /// Lets the runs that have started finish, refuses those that wait, and ends the session's threads.
    func shutDown() async
}

/// What one run of a graph gave.
public struct SessionRun: Sendable {
    /// One tensor for each of the graph's outputs, in that order.
    public let outputs: [Tensor]
    /// How long the run waited for a free instance.
    public let waited: Duration
    /// How long the engine computed.
    public let ran: Duration

    /// Gathers the results of one run.
    public init(outputs: [Tensor], waited: Duration, ran: Duration) {
        self.outputs = outputs
        self.waited = waited
        self.ran = ran
    }
}

extension Session {
    /// Runs the graph once with zeros, so that the first real run finds memory allocated and kernels chosen.
    ///
    /// - Parameter inputShapes: One shape for each of `graph.inputs`; needed where the graph leaves dimensions free.
    ///   Default: the shapes that the graph fixes.
    /// - Returns: The run; its duration is that of a cold start.
    /// - Throws: As ``run(_:)``; ``InferenceError/freeDimensions(_:)`` when no shapes were given and some are free.
    @discardableResult
    public func warmUp(inputShapes: [[Int]]? = nil) async throws -> SessionRun {
        let shapes = try inputShapes ?? graph.inputs.map { try $0.fixedShape }
        let inputs = try zip(graph.inputs, shapes).map { input, shape in
            // A kind that Nereid does not carry is refused by `run`, in its own words.
            try Tensor(zeros: input.elementType ?? .uint8, shape: shape)
        }
        return try await run(inputs)
    }
}

extension TensorDescription {
    fileprivate var fixedShape: [Int] {
        get throws(InferenceError) {
            var lengths: [Int] = []
            for dimension in shape {
                guard case .fixed(let length) = dimension else { throw .freeDimensions(self) }
                lengths.append(length)
            }
            return lengths
        }
    }
}
