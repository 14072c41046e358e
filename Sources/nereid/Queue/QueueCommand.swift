// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import ArgumentParser
import Foundation
import Logging
import NereidJobs
import NereidServer

/// What an operator does with the queue in Redis.
struct QueueCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queue",
        abstract: "Look at the queue in Redis, and at the jobs that were given up.",
        subcommands: [QueueStatusCommand.self, QueueDeadCommand.self, QueueRetryCommand.self, QueuePurgeCommand.self],
        defaultSubcommand: QueueStatusCommand.self
    )
}

/// Where the queue is.
struct QueueOption: ParsableArguments {
    @Option(help: "The queue: redis://HOST:6379/0 (also NEREID_QUEUE).")
    var queue: String?

    /// Lets a body work on the queue.
    func with<Value>(_ body: (RedisQueueOperator) async throws -> Value) async throws -> Value {
        let layers = try SettingsLayers(
            flags: queue.map { [.queue: $0] } ?? [:],
            environment: ProcessInfo.processInfo.environment
        )
        guard let address = try ServerConfiguration(layers).queueAddress else {
            throw CommandFailure("which queue? Say --queue redis://HOST:6379/0, or set NEREID_QUEUE")
        }
        var logger = Logger(label: "nereid") { _ in LogfmtHandler.standardError() }
        logger.logLevel = .error
        let queue = RedisQueueOperator(address, logger: logger)
        defer { queue.shutDown() }
        return try await body(queue)
    }
}

/// How each model's part of the queue stands.
struct QueueStatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "How many jobs wait, run and were given up, by model; and what about Redis' settings may lose jobs."
    )

    @OptionGroup var option: QueueOption

    @Flag(help: "JSON instead of a table.")
    var json = false

    private struct Line: Encodable {
        let model: String
        let waiting: Int
        let bytes: Int
        let running: Int
        let dead: Int
    }

    func run() async throws {
        let (status, warnings) = try await option.with { (try await $0.status(), try await $0.warnings()) }
        for warning in warnings { FileHandle.standardError.write(Data("warning: \(warning)\n".utf8)) }
        let lines = status.map { model in
            Line(
                model: model.model,
                waiting: model.load.waiting,
                bytes: model.load.waitingBytes,
                running: model.load.running,
                dead: model.dead
            )
        }
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            return print(String(decoding: try encoder.encode(lines), as: UTF8.self))
        }
        if lines.isEmpty { return print("no model has had jobs here") }
        let rows = lines.map { [$0.model, "\($0.waiting)", "\($0.running)", "\($0.bytes)", "\($0.dead)"] }
        print(TextTable(headings: ["model", "waiting", "running", "bytes", "dead"], rows: rows))
    }
}

/// The jobs that were given up.
struct QueueDeadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead",
        abstract: "The jobs of a model that were given up, each with the reason, the oldest first."
    )

    @OptionGroup var option: QueueOption

    @Argument(help: "The model.")
    var model: String

    @Option(help: "The most to show.")
    var limit = 100

    func run() async throws {
        let letters = try await option.with { try await $0.deadLetters(of: model, atMost: max(1, limit)) }
        if letters.isEmpty { return print("no job of ‘\(model)’ was given up") }
        let rows = letters.map { [$0.id, $0.request, "\($0.bytes)", $0.reason] }
        print(TextTable(headings: ["id", "request", "bytes", "reason"], rows: rows))
    }
}

/// Gives jobs to the workers once more.
struct QueueRetryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Put jobs that were given up back into the queue."
    )

    @OptionGroup var option: QueueOption

    @Argument(help: "The model.")
    var model: String

    @Argument(help: "The ids that nereid queue dead shows; all of the model's without one.")
    var ids: [String] = []

    func run() async throws {
        let model = model
        let missing = try await option.with { queue in
            var ids = ids
            if ids.isEmpty { ids = try await queue.deadLetters(of: model, atMost: 10_000).map(\.id) }
            var missing: [String] = []
            for id in ids where try await !queue.retry(id, of: model) { missing.append(id) }
            print("\(ids.count - missing.count) put back into the queue of ‘\(model)’")
            return missing
        }
        guard missing.isEmpty else {
            throw CommandFailure(
                "no dead letter of ‘\(model)’ has the id \(missing.joined(separator: ", ")); nereid queue dead \(model) shows them"
            )
        }
    }
}

/// Throws jobs away that were given up.
struct QueuePurgeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "purge",
        abstract: "Throw the jobs of a model that were given up away, with their pictures."
    )

    @OptionGroup var option: QueueOption

    @Argument(help: "The model.")
    var model: String

    func run() async throws {
        let count = try await option.with { try await $0.purgeDeadLetters(of: model) }
        print("\(count) thrown away")
    }
}
