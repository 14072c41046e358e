// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import ArgumentParser
import Foundation

/// The program's commands with their options, as the parser of arguments describes them.
struct CommandTree: Decodable {
    let commandName: String
    private let subcommands: [CommandTree]?
    private let arguments: [Argument]?

    private struct Argument: Decodable {
        struct Name: Decodable {
            let kind: String
            let name: String
        }

        let names: [Name]?
    }

    private struct Tool: Decodable {
        let command: CommandTree
    }

    /// The commands below this one.
    var commands: [CommandTree] { subcommands ?? [] }

    /// The long names of its options, without hyphens.
    var options: [String] {
        (arguments ?? []).flatMap { ($0.names ?? []).filter { $0.kind == "long" }.map(\.name) }
    }

    /// The tree below a command; `nil` when the parser's description is not understood.
    static func of(_ command: any ParsableCommand.Type) -> CommandTree? {
        try? JSONDecoder().decode(Tool.self, from: Data(command._dumpHelp().utf8)).command
    }
}
