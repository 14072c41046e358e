// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NereidModels

/// What a person meant who mistyped a command or an option.
///
/// The parser of arguments suggests the option that differs in the fewest letters: `--iou` for `--conf`.
struct ArgumentAdvice {
    let commands: CommandTree
    /// The arguments behind the program's name.
    let arguments: [String]

    /// The parser's message with better advice; as it is when there is none.
    func improve(_ message: String) -> String {
        let (command, path, unknown) = named
        if let unknown {
            return replaceFirstLine(of: message, by: "Error: " + words(forCommand: unknown, in: command, path: path))
        }
        let pattern = #/Unknown option '(?<name>-[^']+)'(?:\. Did you mean '[^']*'\?)?/#
        guard let match = message.firstMatch(of: pattern) else { return message }
        return message.replacingCharacters(
            in: match.range,
            with: words(forOption: String(match.output.name), of: command)
        )
    }

    /// The command that the arguments name, the way to it, and the word that names none where one should.
    private var named: (command: CommandTree, path: [String], unknown: String?) {
        var command = commands
        var path = [commands.commandName]
        for argument in arguments {
            if argument.hasPrefix("-") || command.commands.isEmpty { break }
            guard let next = command.commands.first(where: { $0.commandName == argument }) else {
                return (command, path, argument)
            }
            command = next
            path.append(argument)
        }
        return (command, path, nil)
    }

    private func words(forCommand word: String, in command: CommandTree, path: [String]) -> String {
        let names = command.commands.map(\.commandName)
        let suggestions = Spelling.suggestions(for: word, among: names)
        if suggestions.isEmpty, path.count == 1, FileManager.default.fileExists(atPath: word) {
            return "'\(word)' is a file or a folder, not a command. To serve it: nereid serve \(word)"
        }
        return "Unknown command '\(word)'. "
            + (suggestions.isEmpty
                ? "Commands: \(names.joined(separator: ", "))" : "Did you mean \(Self.list(suggestions))?")
    }

    private func words(forOption name: String, of command: CommandTree) -> String {
        let word = String(name.drop { $0 == "-" })
        let unknown = "Unknown option '\(name)'"
        let suggestions = Spelling.suggestions(for: word, among: command.options)
        let others = Self.all(below: commands).filter { $0.command.options.contains(word) }.map(\.path)
        if !others.isEmpty, !suggestions.contains(word) {
            return "\(unknown), which is an option of \(Self.list(others))"
        }
        guard !suggestions.isEmpty else { return unknown }
        return "\(unknown). Did you mean \(Self.list(suggestions.map { "--\($0)" }))?"
    }

    private static func all(below command: CommandTree, path: String = "") -> [(path: String, command: CommandTree)] {
        let path = path.isEmpty ? command.commandName : "\(path) \(command.commandName)"
        return [(path, command)] + command.commands.flatMap { all(below: $0, path: path) }
    }

    private static func list(_ words: [String]) -> String {
        let quoted = words.map { "'\($0)'" }
        guard let last = quoted.last, quoted.count > 1 else { return quoted.joined() }
        return quoted.dropLast().joined(separator: ", ") + " or " + last
    }

    private func replaceFirstLine(of message: String, by line: String) -> String {
        ([line] + message.split(separator: "\n", omittingEmptySubsequences: false).dropFirst().map(String.init))
            .joined(separator: "\n")
    }
}

extension String {
    fileprivate func replacingCharacters(in range: Range<Index>, with text: String) -> String {
        self[..<range.lowerBound] + text + self[range.upperBound...]
    }
}
