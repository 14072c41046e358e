// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import ArgumentParser
import Foundation
import NereidModels

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

    /// Runs the command that the arguments name; of mistyped ones it says what may be meant.
    ///
    /// Errors are printed with their unprintable characters escaped: a name in them may be that of a file that others have made,
    /// and a terminal would act on it.
    static func main() async {
        let arguments = Array(CommandLine.arguments.dropFirst())
        do {
            var command = try await asyncParseAsRoot(arguments)
            await run(&command)
        } catch {
            guard exitCode(for: error) == .validationFailure, let commands = CommandTree.of(Nereid.self) else {
                end(with: error)
            }
            let advice = ArgumentAdvice(commands: commands, arguments: arguments)
            standardError(advice.improve(fullMessage(for: error)).printable(keeping: ["\n"]))
            Foundation.exit(ExitCode.validationFailure.rawValue)
        }
    }

    private static func run(_ command: inout any ParsableCommand) async {
        do {
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            end(with: error)
        }
    }

    private static func end(with error: any Error) -> Never {
        let (code, text) = (exitCode(for: error), fullMessage(for: error).printable(keeping: ["\n"]))
        if !text.isEmpty { code.isSuccess ? print(text) : standardError(text) }
        Foundation.exit(code.rawValue)
    }
}
