// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import Logging
public import NereidModels
import NIOCore
public import ServiceLifecycle
import Synchronization

/// Takes jobs from a queue in Redis, runs them by a ``Worker``, and stores their answers there.
///
/// For each model it has as many hands as the model's session has instances, and one more, so that the next picture is decoded
/// while the engine is busy; each hand reads on a connection of its own. When the service is asked to stop, no hand takes
/// more, and ``run()`` returns once what was taken is answered.
public final class RedisWorker: Service {
    /// What tells this worker from all others.
    public let name = UniqueName.make()
    let client: RedisClient
    let settings: RedisQueueSettings
    let logger: Logger
    let hand = HeldJobs()
    let worker: Worker
    private let models: @Sendable () -> [ServedModel]
    private let host: String
    private let software: String
    private let unreached = Mutex<String?>("it has not been reached yet")

    /// Makes a worker.
    ///
    /// - Parameters:
    ///   - address: where Redis is.
    ///   - worker: runs what the queue holds.
    ///   - models: the models that are loaded at this moment. What it returns may change: the worker follows.
    ///   - host: the name of this machine, for people.
    ///   - software: this program and its version, for people.
    ///   - settings: how the queue is kept.
    ///   - logger: told of lost connections, and of jobs that were given up.
    public init(
        _ address: RedisAddress,
        worker: Worker,
        models: @escaping @Sendable () -> [ServedModel],
        host: String,
        software: String,
        settings: RedisQueueSettings = .init(),
        logger: Logger
    ) {
        client = RedisClient(address, logger: logger)
        self.worker = worker
        self.models = models
        self.host = host
        self.software = software
        self.settings = settings
        self.logger = logger
    }

    var keys: QueueKeys { settings.keys }

    /// Why the queue can't be told of this worker at this moment, and no jobs be taken; `nil` when it can.
    public var obstacle: String? { unreached.withLock { $0 } }

    /// How many jobs it has at this moment.
    public var running: Int { hand.count }

    /// How many jobs of a model it has at this moment. What waits it does not know.
    public func load(of model: String) -> QueueLoad {
        QueueLoad(waiting: 0, waitingBytes: 0, running: hand.count(of: model))
    }

    /// Works until the service is asked to stop, or its task is cancelled.
    ///
    /// A server that can't be reached is waited for, at the start and later.
    ///
    /// - Throws: ``RedisError`` when the server does not let us in or can't hold a queue.
    public func run() async throws {
        do {
            try await cancelWhenGracefulShutdown { try await self.client.checkSuitability() }
        } catch is CancellationError {
            return client.shutDown()
        }
        await withTaskCancellationOrGracefulShutdownHandler {
            await withTaskGroup(of: Void.self) { group in
                var lanes: Set<String> = []
                var backOff = BackOff()
                var description: WorkerDescription?
                while !hand.isStopping {
                    let served = models()
                    for model in served where lanes.insert(model.name).inserted {
                        for _ in 0..<model.vision.session.instances + 1 {
                            group.addTask { await self.takeJobs(of: model.name) }
                        }
                        group.addTask { await self.takeOver(model.name) }
                    }
                    // Hands of models that are gone end by themselves.
                    lanes.formIntersection(served.map(\.name))
                    do {
                        try await announce(served, describedBy: &description)
                        backOff.reset()
                        unreached.withLock { $0 = nil }
                        await hand.sleep(atMost: settings.pulse)
                    } catch {
                        unreached.withLock { $0 = "\(error)" }
                        let wait = max(settings.pulse, backOff.next())
                        logger.log(
                            level: backOff.level,
                            "the queue can't be told of this worker",
                            metadata: ["error": "\(error)", "again": "\(wait)"]
                        )
                        await hand.sleep(atMost: wait)
                    }
                }
                await letGo()
                // Jobs that are still run are kept from being taken for lost.
                group.addTask { await self.keepHeldJobs() }
                await group.waitForAll()
            }
        } onCancelOrGracefulShutdown: {
            self.hand.stop()
        }
        await Task { await leave() }.value
        client.shutDown()
    }

    /// Says that this worker is there, and that it works on what it has.
    ///
    /// - Parameter description: what it has said of its models. That is said again only when it changes or is gone.
    private func announce(_ served: [ServedModel], describedBy description: inout WorkerDescription?) async throws {
        let models = served.map { WorkerAnnouncement.Model($0) }
        let now = try description.flatMap { $0.models == models ? $0 : nil } ?? WorkerDescription(models)
        let announcement = WorkerAnnouncement(
            worker: name,
            host: host,
            software: software,
            description: now.digest,
            running: Dictionary(served.map { ($0.name, hand.count(of: $0.name)) }) { first, _ in first }
        )
        let key = RedisCommand.Argument.text(keys.description(now.digest))
        let life = RedisCommand.Argument.integer(settings.descriptionLife.milliseconds)
        let described = RedisCommand("SET", key, .bytes(now.json), "PX", life)
        let said = try announcement.json()
        let commands = [
            description == now ? RedisCommand("PEXPIRE", key, life) : described,
            RedisCommand("SADD", .text(keys.workers), .text(name)),
            RedisCommand(
                "SET",
                .text(keys.worker(name)),
                .bytes(said),
                "PX",
                .integer(settings.workerLife.milliseconds)
            ),
        ]
        let replies = try await client.send(commands + claimsOfHeldJobs())
        let isFull = replies.prefix(commands.count).contains { reply in
            if case .error(let reason) = reply { reason.saysRedisIsFull } else { false }
        }
        if isFull {
            try await client.send(QueueScripts.announce(name, said, now, settings: settings))
        } else {
            for reply in replies.prefix(commands.count) { _ = try reply.orThrow() }
            if replies[0] == .integer(0) { try await client.send(described) }
        }
        description = now
    }

    /// Commands that say that the jobs in hand are being worked on, without counting as deliveries.
    private func claimsOfHeldJobs() -> [RedisCommand] {
        hand.ids.map { stream, ids in
            RedisCommand(
                ["XCLAIM", .text(keys.jobs(stream)), .text(QueueKeys.group), .text(name), 0]
                    + ids.map { .text($0) } + ["IDLE", 0, "JUSTID"]
            )
        }
    }

    private func keepHeldJobs() async {
        while hand.count > 0, !Task.isCancelled {
            let claims = claimsOfHeldJobs()
            if !claims.isEmpty { _ = try? await client.send(claims) }
            await hand.sleep(atMost: settings.pulse, untilEmpty: true)
        }
    }

    /// Wakes the hands that wait for jobs, until none of them does.
    private func letGo() async {
        while true {
            let connections = hand.reading
            guard !connections.isEmpty, !Task.isCancelled else { return }
            let replies = try? await client.send(connections.map { RedisCommand("CLIENT", "UNBLOCK", .integer($0)) })
            // Without a server nobody can be given a job either.
            if replies == nil { return }
            try? await Task.sleep(for: .milliseconds(5))
        }
    }

    private func leave() async {
        var commands = [
            RedisCommand("SREM", .text(keys.workers), .text(name)),
            RedisCommand("UNLINK", .text(keys.worker(name))),
        ]
        for stream in hand.streams { commands.append(QueueScripts.forget(name, in: stream, keys: keys)) }
        _ = try? await client.send(commands)
    }

    /// The version of a model that is loaded now.
    func model(named name: String) -> ServedModel? {
        models().first { $0.name == name }
    }
}
