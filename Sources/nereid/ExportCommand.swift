// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import ArgumentParser
import Dispatch
import NereidCheckpoints

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A checkpoint becomes an ONNX file.
struct ExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write a checkpoint (.pt) as an ONNX file.",
        discussion: """
            The file has the layout of the framework's own export: boxes decoded, one output, names and stride as metadata. \
            Nothing in the checkpoint is executed. To serve a checkpoint, no export is needed: nereid serve CHECKPOINT
            """
    )

    /// Which head of a network that has two.
    enum Head: String, CaseIterable, ExpressibleByArgument {
        case oneToMany = "one-to-many"
        case oneToOne = "one-to-one"
    }

    @Argument(help: "The checkpoint.")
    var checkpoint: String

    @Option(name: .shortAndLong, help: "The ONNX file (the checkpoint's name with .onnx).")
    var output: String?

    @Flag(help: "End at the head's raw maps, as Nereid serves them, instead of decoded boxes.")
    var maps = false

    @Flag(help: "Keep the weights in half precision: half the size.")
    var half = false

    @Option(help: "one-to-many or one-to-one, for networks with two heads (what the framework's package uses).")
    var head: Head?

    func run() async throws {
        let options = ConversionOptions(
            ending: maps ? .maps : .decoded,
            head: head.map { $0 == .oneToOne ? .oneToOne : .oneToMany } ?? .automatic,
            precision: half ? .float16 : .float32
        )
        let path = output ?? URL(fileURLWithPath: checkpoint).deletingPathExtension().path + ".onnx"
        let graph = try await withCheckedThrowingContinuation { continuation in
            // Seconds of reading and writing, which the cooperative pool must not wait for.
            DispatchQueue.global().async {
                continuation.resume(
                    with: Result {
                        let graph = try CheckpointConverter.convert(Checkpoint(path: checkpoint), options: options)
                        try graph.write(toFile: path)
                        return graph
                    }
                )
            }
        }
        let about = graph.description
        print(
            "\(path): \(about.task.rawValue), \(about.labels.count) classes, \(about.framework.rawValue), "
                + "\(graph.byteCount) bytes"
        )
    }
}
