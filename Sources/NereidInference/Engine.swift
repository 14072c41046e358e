// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Something that runs graphs.
public protocol Engine: Sendable {
    /// What the engine is called, such as `ONNX Runtime`.
    var name: String { get }
    /// The version of the library that is running.
    var version: String { get }
    /// Where sessions can compute, best last; never contains ``Device/auto``.
    var devices: [Device] { get }

    /// Loads a graph. Takes from milliseconds to seconds, on threads that do not belong to Swift's cooperative pool.
    ///
    /// - Throws: ``InferenceError`` when the graph cannot be read or is not one, when the engine lacks the device, or
    ///   when an option is out of its range.
    func makeSession(_ graph: GraphSource, options: SessionOptions) async throws -> any Session
}

extension Engine {
    /// Loads a graph with the default options.
    public func makeSession(_ graph: GraphSource) async throws -> any Session {
        try await makeSession(graph, options: SessionOptions())
    }
}
