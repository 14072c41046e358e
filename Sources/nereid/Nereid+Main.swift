// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import ArgumentParser
import Foundation
import NereidModels

extension Nereid {
    /// Runs the command that the arguments name; of mistyped ones it says what may be meant. What goes wrong is said in words
    /// whose unprintable characters are escaped: a name in them may be that of a file that others have made, and a terminal
    /// would act on it.
    static func main() async {
        let arguments = Array(CommandLine.arguments.dropFirst())
        var command: any ParsableCommand
        do {
            command = try parseAsRoot(arguments)
        } catch {
            let text = fullMessage(for: error)
            guard exitCode(for: error) == .validationFailure, let commands = CommandTree.of(Nereid.self) else {
                end(text, exitCode(for: error))
            }
            end(ArgumentAdvice(commands: commands, arguments: arguments).improve(text), .validationFailure)
        }
        do {
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            end(fullMessage(for: error), exitCode(for: error))
        }
    }

    private static func end(_ text: String, _ code: ExitCode) -> Never {
        let text = text.printable(keeping: ["\n"])
        if !text.isEmpty { code.isSuccess ? print(text) : standardError(text) }
        Foundation.exit(code.rawValue)
    }
}
