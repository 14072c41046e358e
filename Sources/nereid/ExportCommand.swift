// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import ArgumentParser
import Dispatch
import NereidCheckpoints
import NereidModels

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A checkpoint becomes an ONNX file.
struct ExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write a checkpoint (.pt, .pth, .pkl) as an ONNX file.",
        discussion: """
            Weights of Detectron2 are named with their configuration, CONFIG.yaml+WEIGHTS.pth, unless that lies beside them. \
            They end before boxes are decoded; networks of two stages become two or three files, NAME.onnx, \
            NAME.boxes.onnx and NAME.masks.onnx, which are served by naming the first. Of the other families the file has the layout of the framework's own export: boxes decoded, one output, names and stride as metadata. \
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
        // What is no model by its name may be a checkpoint all the same.
        if let found = try? ModelLocation.onlyModel(at: ModelLocation(argument: checkpoint)), found.isDetectron2 {
            try await exportDetectron2(found)
            return
        }
        let options = ConversionOptions(
            ending: maps ? .maps : .decoded,
            head: head.map { $0 == .oneToOne ? .oneToOne : .oneToMany } ?? .automatic,
            precision: half ? .float16 : .float32
        )
        let path = output ?? URL(fileURLWithPath: checkpoint).deletingPathExtension().path + ".onnx"
        try OutputPath.checkFile(path)
        let checkpoint = checkpoint
        let graph = try await Self.offPool {
            let graph = try CheckpointConverter.convert(Checkpoint(path: checkpoint), options: options)
            try graph.write(toFile: path)
            return graph
        }
        report(path, graph)
    }

    private func exportDetectron2(_ found: FoundModel) async throws {
        guard head == nil else { throw CommandFailure("--head is for networks with two heads; Detectron2's have one") }
        let configuration = try found.detectron2Configuration()
        let precision: WeightPrecision = half ? .float16 : .float32
        let path = output ?? URL(fileURLWithPath: found.path).deletingPathExtension().path + ".onnx"
        try OutputPath.checkFile(path)
        let stem = path.hasSuffix(".onnx") ? String(path.dropLast(".onnx".count)) : path
        let graphs = try await Self.offPool {
            let graphs = try Detectron2Converter.convert(
                Checkpoint(path: found.path),
                configuration: configuration,
                precision: precision
            )
            try graphs.network.write(toFile: path)
            for (name, graph) in graphs.named.dropFirst() { try graph.write(toFile: "\(stem).\(name).onnx") }
            return graphs
        }
        for warning in graphs.warnings { print("note: \(warning)") }
        for (name, graph) in graphs.named { report(name.isEmpty ? path : "\(stem).\(name).onnx", graph) }
    }

    private func report(_ path: String, _ graph: ConvertedGraph) {
        let about = graph.description
        print(
            "\(path): \(about.task.rawValue), \(about.labels.count) classes, \(about.framework.rawValue), "
                + "\(graph.byteCount) bytes"
        )
    }

    /// Seconds of reading and writing, which the cooperative pool must not wait for.
    private static func offPool<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(with: Result { try work() }) }
        }
    }
}
