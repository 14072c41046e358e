// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Testing

/// A command line of `nereid` in a file of Deploy/, with the environment that it would have there.
struct DeployedCommand: Sendable, CustomTestStringConvertible {
    /// What kind of process it starts.
    enum Role: String {
        case server = "page, API and workers at"
        case gateway = "gateway: page and API at"
        case worker = "worker of the queue, with health and metrics at"
    }

    /// The file, and what in it.
    let place: String
    let arguments: [String]
    let environment: [String: String]
    /// How long it is given from the signal to stop until it is killed.
    let grace: Duration?

    var testDescription: String { "\(place): \(arguments.joined(separator: " "))" }

    var role: Role {
        if arguments.first == "worker" { return .worker }
        return arguments.contains("--no-workers") ? .gateway : .server
    }

    /// Asks the program what it would do.
    func check(_ more: [String] = [], environment extra: [String: String] = [:]) async throws -> ChildProcess.Ended {
        try await ChildProcess.run(
            arguments: arguments + ["--check"] + more,
            environment: environment.merging(extra) { $1 }
        )
    }

    /// Every one of them.
    static var all: [DeployedCommand] {
        get throws {
            let image = try ImageRecipe()
            return try [image.deployed] + ComposeFiles.commands(image) + UnitFile.all.map { try $0.deployed }
                + Manifests.rendered().flatMap { try $0.commands(image) }
        }
    }
}

/// The files of Deploy/.
enum DeployFolder {
    static let url = Repository.root.appendingPathComponent("Deploy")

    static func text(_ name: String) throws -> String {
        try String(contentsOf: url.appendingPathComponent(name), encoding: .utf8)
    }

    /// The paths of all files with an ending, from Deploy/ on.
    static func files(ending: String, below folder: String = "") throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: url.appendingPathComponent(folder).path).sorted()
            .filter { $0.hasSuffix(ending) }.map { folder.isEmpty ? $0 : "\(folder)/\($0)" }
    }
}

/// A file of settings, one `NAME=VALUE` to a line.
enum EnvironmentFile {
    static func parse(_ text: String) -> [String: String] {
        let pairs = text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            return (parts[0], parts.count == 2 ? parts[1] : "")
        }
        return Dictionary(pairs) { $1 }
    }
}
