// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Where an ONNX graph comes from.
public struct GraphSource: Sendable {
    /// A graph on disk or in memory.
    public enum Content: Sendable {
        /// A file. Weights that the graph keeps in files beside it are found.
        case file(path: String)
        /// A whole graph, as the file would hold it.
        case bytes([UInt8])
    }

    /// What errors call the graph: usually the model's name.
    public let name: String
    /// The graph itself.
    public let content: Content

    /// Names a graph.
    public init(name: String, content: Content) {
        self.name = name
        self.content = content
    }
}
