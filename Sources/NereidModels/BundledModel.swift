// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import CEmbedded

/// The demonstration model, carried in the program so that a new user has one in the first minute.
///
/// It stands in `Models/demo`, with its card; `Training` made it.
enum BundledModel {
    /// What it is called in requests, and as MODEL on the command line.
    static let name = "demo"
    /// What stands for its path in messages.
    static let path = "demo (in the program)"

    /// The ONNX graph, about 2 MiB.
    static var graph: [UInt8] { bytes(nereid_embedded_demo_graph()) }
    /// Its settings, YAML.
    static var settings: String { String(decoding: bytes(nereid_embedded_demo_settings()), as: UTF8.self) }

    private static func bytes(_ embedded: NereidEmbedded) -> [UInt8] {
        [UInt8](UnsafeBufferPointer(start: embedded.bytes, count: embedded.count))
    }
}
