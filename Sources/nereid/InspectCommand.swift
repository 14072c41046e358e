// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import ArgumentParser
import NereidInference
import NereidModels
import NereidServer
import NereidVision

/// What a model file holds.
struct InspectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Show what a model file holds: task, classes, inputs, and why it can't be served if it can't."
    )

    @Argument(help: "The model: PATH or NAME=PATH.")
    var model: String

    @OptionGroup(title: "Engine")
    var engine: EngineFlags

    func run() async throws {
        let configuration = try engine.configuration
        let runtime = try Runtime(configuration)
        let location = try ModelLocation(argument: model)
        let graph = try await runtime.graph(at: location, session: configuration.session)
        print(lines(about: graph).joined(separator: "\n"))
        // Printed first, so that a graph that can't be served shows what it is all the same.
        let served = try await runtime.load(model, session: configuration.session)
        print(lines(about: served).joined(separator: "\n"))
    }

    private func lines(about graph: GraphDescription) -> [String] {
        let shortened = graph.metadata.sorted { $0.key < $1.key }.map { key, value in
            "             \(key.printable()) = \((value.count > 100 ? value.prefix(100) + "…" : value).printable())"
        }
        return graph.inputs.map { "input        \($0)" } + graph.outputs.map { "output       \($0)" }
            + (shortened.isEmpty ? [] : ["metadata"] + shortened)
    }

    private func lines(about served: ServedModel) -> [String] {
        let vision = served.vision
        let names = vision.labels.names
        let shown = names.prefix(20).joined(separator: ", ")
        var lines = [
            "task         \(vision.task.rawValue)",
            "head         \(vision.headKind.rawValue): \(vision.headReason)",
            "classes      \(names.count): \(shown)\(names.count > 20 ? ", …" : "")",
            "pictures     \(vision.input.size), \(vision.input.fit.rawValue), "
                + "\(vision.input.encoding.channels.rawValue.uppercased())",
            "runs on      \(vision.session.engineName), \(vision.session.device), "
                + "\(vision.session.instances) × \(vision.session.threads) threads",
        ]
        lines += vision.warnings.map { "warning      \($0)" }
        if !served.aliases.isEmpty { lines.append("aliases      \(served.aliases.joined(separator: ", "))") }
        return lines
    }
}

extension Runtime {
    /// What the graph at a location says of itself.
    func graph(at location: ModelLocation, session: SessionOptions) async throws -> GraphDescription {
        let found = try ModelLocation.onlyModel(at: location)
        let session = try await found.explaining(on: checkpoints) {
            try await engine.makeSession(found.graphs(from: checkpoints).network, options: session)
        }
        let graph = session.graph
        await session.shutDown()
        return graph
    }
}
