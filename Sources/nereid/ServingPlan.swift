// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Logging
import NereidModels
import NereidServer

/// What a serving process is about to do.
struct ServingPlan: CustomStringConvertible {
    var role = Role.server
    let server: ServerConfiguration
    let engine: EngineConfiguration
    /// Its models as they were written; where none are, the bundled one.
    let models: [String]

    /// What kind of process it is.
    enum Role {
        /// With the page and the API.
        case server
        /// Health and metrics beside its work.
        case worker
    }

    /// One line for each thing that matters, for a person who checks a command line. Without passwords.
    var description: String {
        let models = self.models.map { argument in
            guard let location = try? ModelLocation(argument: argument) else {
                return "model: \(argument.printable()) (nothing is there)"
            }
            return "model: \(argument.printable())\(location.isWithoutModel ? " (\(Self.emptyFolder))" : "")"
        }
        let role =
            switch self.role {
            case .worker: "worker of the queue, with health and metrics at"
            case .server: server.runsModels ? "page, API and workers at" : "gateway: page and API at"
            }
        var lines = [
            "\(role) \(server.host):\(server.port)",
            "queue: \(server.queueAddress?.description ?? "in this process")",
        ]
        if self.role == .server {
            let folder = server.jobsFolder ?? "the user's own folder"
            lines.append("jobs: \(server.queueAddress == nil ? folder : "in the queue")")
        }
        return (lines + certificates + models + required).joined(separator: "\n")
    }

    /// A line for each model without which the process is not ready, beside those that are named above.
    private var required: [String] {
        let found = (try? locations()).map(ModelLocation.names) ?? []
        return server.requiredModels.map { name in
            if server.runsModels, found.contains(name) { return "required: \(name)" }
            let mayBeElsewhere = role == .server && server.queueAddress != nil
            return "required: \(name) (\(mayBeElsewhere ? "of a worker of the queue" : "not there yet"))"
        }
    }

    /// A line for each certificate, or for what stands against them; none without TLS.
    private var certificates: [String] {
        guard let source = server.tls else { return [] }
        do {
            return try CertificateKeeper(source, logger: Logger(engine).quietened).descriptions
        } catch {
            return ["certificates: \(error)"]
        }
    }

    private static let emptyFolder = "warning: a folder without a model yet; models that appear in it are served"

    /// What does not stand against serving, but may not be meant.
    var warnings: [String] {
        models.compactMap { argument in
            guard let location = try? ModelLocation(argument: argument), location.isWithoutModel else { return nil }
            return "there is no model in the folder \(argument.printable()) yet; models that appear in it are served"
        }
    }

    /// Where its models are.
    ///
    /// - Throws: `ModelsError`.
    func locations() throws(ModelsError) -> [ModelLocation] {
        if models.isEmpty { return [.bundled] }
        return try models.map { argument throws(ModelsError) in try ModelLocation(argument: argument) }
    }

    /// What the log says when connections are taken.
    func announcement(port: Int) -> Logger.Metadata {
        let host = ["0.0.0.0", "::", "127.0.0.1"].contains(server.host) ? "localhost" : server.host
        let scheme = server.tls == nil ? "http" : "https"
        var metadata: Logger.Metadata = [role == .server ? "page" : "health": "\(scheme)://\(host):\(port)"]
        if let queue = server.queueAddress { metadata["queue"] = "\(queue)" }
        return metadata
    }
}
