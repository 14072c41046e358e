// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Testing

/// The compose files, as `docker compose` reads them.
enum ComposeFiles {
    /// The files that are used together.
    static let sets = [
        ["compose.yaml"], ["compose.yaml", "compose.gpu.yaml"], ["compose.yaml", "compose.redis.yaml"],
        ["compose.single.yaml"],
    ]

    static var example: [String: String] {
        get throws { EnvironmentFile.parse(try DeployFolder.text(".env.example")) }
    }

    /// What a person may have in .env.
    static var environments: [[String: String]] {
        get throws {
            let example = try example.merging(["ONNXRUNTIME_GPU": "/srv/onnxruntime-gpu"]) { $1 }
            let older = [
                "SERVER_HOST": "nereid.example.org", "SERVER_URL": "https://nereid.example.org:8443",
                "SERVER_PORT": "8443",
                "TRAEFIK_CONFIG": "/srv/traefik", "REDIS_HOST": "redis.example.org", "REDIS_PORT": "6380",
                "REDIS_DB": "3",
            ]
            let more = [
                "REDIS_PASSWORD": "s3cret", "NEREID_MODELS": "/models", "MODELS_FOLDER": "/srv/models",
                "NEREID_WEBHOOK_HOSTS": "hooks.example.org",
                "NEREID_WEBHOOK_SECRET": "0123456789abcdef0123456789abcdef",
            ]
            let gpu = ["ONNXRUNTIME_GPU": "/srv/onnxruntime-gpu"]
            return [example, gpu, older.merging(gpu) { $1 }, example.merging(more) { $1 }]
        }
    }

    /// Some files together, with the variables of .env put in.
    static func merged(_ files: [String], _ variables: [String: String]) throws -> Document {
        let documents = try files.map { file in
            let all = try Document.all(of: DeployFolder.text(file))
            return try #require(all.first).mapTexts { try interpolated($0, variables) }
        }
        return documents.dropFirst().reduce(documents[0]) { $0.merging($1) }
    }

    /// The names of all variables in a file.
    static func variables(in file: String) throws -> Set<String> {
        Set(try DeployFolder.text(file).matches(of: /\$\{(\w+)/).map { String($0.1) })
    }

    /// `${NAME}`, `${NAME:-otherwise}`, `${NAME:+instead}` and `${NAME:?must be there}`.
    static func interpolated(_ text: String, _ variables: [String: String]) throws -> String {
        try text.replacing(/\$\{(\w+)(?::([-+?])([^}]*))?\}/) { match in
            let value = variables[String(match.1), default: ""]
            let other = match.3.map { try? interpolated(String($0), variables) }.flatMap(\.self) ?? ""
            switch match.2 {
            case "-": return value.isEmpty ? other : value
            case "+": return value.isEmpty ? "" : other
            case "?" where value.isEmpty: throw DeploymentMistake(description: "\(match.1) is not set: \(other)")
            default: return value
            }
        }
    }

    /// The services that run Nereid's image.
    static func commands(_ image: ImageRecipe) throws -> [DeployedCommand] {
        try sets.flatMap { files in
            try environments.flatMap { variables in
                try merged(files, variables)["services"]?.map.sorted { $0.key < $1.key }.compactMap { name, service in
                    guard service["build"] != nil else { return nil }
                    return DeployedCommand(
                        place: "\(files.joined(separator: " + ")), \(name)",
                        arguments: try image.nereid(service["command"]?.texts ?? image.command),
                        environment: image.environment.merging(
                            service["environment"]?.map.compactMapValues(\.text) ?? [:]
                        ) { $1 },
                        grace: service["stop_grace_period"]?.text.flatMap { Int($0.dropLast()) }.map { .seconds($0) }
                    )
                } ?? []
            }
        }
    }
}
