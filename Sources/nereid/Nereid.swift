// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import ArgumentParser

/// The command.
@main
struct Nereid: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nereid",
        abstract: "A vision model server: point it at a trained model and it answers pictures with boxes.",
        version: version,
        subcommands: [
            ServeCommand.self, WorkerCommand.self, QueueCommand.self, PredictCommand.self, ExportCommand.self,
            InspectCommand.self, BenchCommand.self, HealthCommand.self,
        ]
    )

    static let version = "0.1.0"
}
