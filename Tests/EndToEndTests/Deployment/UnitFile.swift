// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Testing

/// A systemd unit of Deploy/systemd.
struct UnitFile {
    static let program = "/usr/local/bin/nereid"
    /// What stands behind the @ of a template.
    static let instance = "8101"

    let name: String
    let text: String

    static var all: [UnitFile] {
        get throws {
            try DeployFolder.files(ending: ".service", below: "systemd").map { path in
                UnitFile(name: String(path.dropFirst("systemd/".count)), text: try DeployFolder.text(path))
            }
        }
    }

    /// The values of a key, in order.
    func values(_ key: String) -> [String] {
        text.split(separator: "\n").filter { $0.hasPrefix("\(key)=") }.map { line in
            String(line.dropFirst(key.count + 1)).replacing("%i", with: Self.instance)
        }
    }

    var deployed: DeployedCommand {
        get throws {
            let words = try #require(values("ExecStart").first).split(separator: " ").map(String.init)
            guard words.first == Self.program else { throw DeploymentMistake(description: "\(name) starts \(words)") }
            var environment = EnvironmentFile.parse(
                values("Environment").flatMap { $0.split(separator: " ") }.joined(separator: "\n")
            )
            for file in values("EnvironmentFile") {
                let example = "systemd/\(file.split(separator: "/").last ?? "")"
                // What begins with - may be missing.
                if let text = try? DeployFolder.text(example) {
                    environment.merge(EnvironmentFile.parse(text)) { $1 }
                } else if !file.hasPrefix("-") {
                    throw DeploymentMistake(description: "\(name) needs \(file), of which there is no example")
                }
            }
            return DeployedCommand(
                place: name,
                arguments: Array(words.dropFirst()),
                environment: environment,
                grace: values("TimeoutStopSec").last.flatMap(Int.init).map { .seconds($0) }
            )
        }
    }
}
