// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Testing

/// What the last stage of Deploy/Dockerfile says.
struct ImageRecipe {
    private let steps: [(name: String, rest: String)]

    init() throws {
        let lines = try DeployFolder.text("Dockerfile").split(separator: "\n").filter { !$0.hasPrefix("#") }
        let joined = lines.joined(separator: "\n").replacing("\\\n", with: " ")
        let all = joined.split(separator: "\n").map { line in
            let parts = line.split(separator: " ", maxSplits: 1)
            return (name: String(parts[0]), rest: parts.count == 2 ? String(parts[1]) : "")
        }
        steps = all.suffix(from: try #require(all.lastIndex { $0.name == "FROM" })).map(\.self)
    }

    private func values(_ name: String) -> [String] { steps.filter { $0.name == name }.map(\.rest) }

    private func list(_ text: String?) throws -> [String] {
        try JSONDecoder().decode([String].self, from: Data(#require(text).utf8))
    }

    var environment: [String: String] {
        let words = values("ENV").flatMap { $0.split(separator: " ").map(String.init) }
        return EnvironmentFile.parse(words.joined(separator: "\n"))
    }

    var entryPoint: [String] { get throws { try list(values("ENTRYPOINT").last) } }
    var command: [String] { get throws { try list(values("CMD").last) } }
    var volumes: [String] { get throws { try list(values("VOLUME").last) } }
    var user: String? { values("USER").last }
    var ports: [String] { values("EXPOSE") }

    var healthCheck: [String] {
        get throws { try list(values("HEALTHCHECK").last.flatMap { $0.components(separatedBy: "CMD ").last }) }
    }

    /// What `apt-get install` installs.
    var packages: Set<String> {
        let installs = values("RUN").flatMap { $0.components(separatedBy: "&&") }.filter {
            $0.contains("apt-get install")
        }
        return Set(
            installs.flatMap { $0.split(whereSeparator: \.isWhitespace) }.map(String.init).filter { word in
                !word.hasPrefix("-") && word != "apt-get" && word != "install"
            }
        )
    }

    /// What a container does that is given no command.
    var deployed: DeployedCommand {
        get throws {
            DeployedCommand(
                place: "Dockerfile",
                arguments: try nereid(command),
                environment: environment,
                grace: nil
            )
        }
    }

    /// The arguments of `nereid` when a container is given a command.
    func nereid(_ command: [String]) throws -> [String] {
        let whole = try entryPoint + command
        guard whole.first == "nereid" else { throw DeploymentMistake(description: "\(whole) does not start nereid") }
        return Array(whole.dropFirst())
    }
}
