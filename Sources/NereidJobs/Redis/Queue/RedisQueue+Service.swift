// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NIOCore
import NIOFoundationCompat
import NereidModels
import ServiceLifecycle

extension RedisQueue {
    /// Receives answers and follows the workers, until the service is asked to stop or its task is cancelled. Who still waits
    /// then is told so: stop what submits jobs first.
    ///
    /// - Throws: ``RedisError`` when the server does not let us in or can't hold a queue. One that can't be reached is waited
    ///   for, at the start and later.
    public func run() async throws {
        do {
            try await cancelWhenGracefulShutdown {
                try await self.client.checkSuitability()
                await withTaskGroup(of: Void.self) { group in
                    group.addTask { await self.receiveAnswers() }
                    group.addTask { await self.followWorkers() }
                    await group.waitForAll()
                }
            }
        } catch is CancellationError {
        } catch {
            waiters.end(.queueUnreachable(reason: "\(error)"))
            client.shutDown()
            throw error
        }
        waiters.end(.queueUnreachable(reason: "the gateway is being stopped"))
        // A task that is cancelled sends nothing any more.
        await Task { _ = try? await client.send(RedisCommand("UNLINK", .text(keys.answers(to: name)))) }.value
        client.shutDown()
    }

    private func receiveAnswers() async {
        var backOff = BackOff()
        var last = "0"
        var most = Self.answersAtATime
        while !Task.isCancelled {
            do {
                let connection = try await client.ownConnection()
                backOff.reset()
                try await withTaskCancellationHandler {
                    defer { connection.close() }
                    try await receiveAnswers(on: connection, after: &last, atMost: &most)
                } onCancel: {
                    connection.close()
                }
            } catch {
                if Task.isCancelled { return }
                // More than is read of one reply: one at a time, then without the one that is too large by itself.
                if case RedisError.badReply = error { most = most > 1 ? 1 : 0 }
                let wait = backOff.next()
                logger.log(
                    level: backOff.level,
                    "answers can't be received",
                    metadata: ["error": "\(error)", "again": "\(wait)"]
                )
                try? await Task.sleep(for: wait)
            }
        }
    }

    private static let answersAtATime = 64

    /// - Parameter most: how many answers to ask for at a time; 0: the next one is too large to be read.
    private func receiveAnswers(
        on connection: RedisConnection,
        after last: inout String,
        atMost most: inout Int
    ) async throws {
        let key = keys.answers(to: name)
        var read: [String] = []
        if most == 0 {
            try await removeOversized(on: connection, after: last)
            most = 1
        }
        while !Task.isCancelled {
            let waiting = settings.longestRead
            let more = RedisCommand(
                "XREAD",
                "COUNT",
                .integer(most),
                "BLOCK",
                .integer(waiting.milliseconds),
                "STREAMS",
                .text(key),
                .text(last)
            )
            // What was read last time is removed on the way.
            let removal = read.isEmpty ? [] : [RedisCommand(["XDEL", .text(key)] + read.map { .text($0) })]
            let reply = try await connection.send(removal + [more], blocking: waiting).last?.orThrow()
            most = Self.answersAtATime
            read = []
            for entry in (reply?.elements?.first?.elements?.last?.elements ?? []).compactMap(StreamEntry.init) {
                last = entry.id
                read.append(entry.id)
                deliver(entry.values)
            }
        }
    }

    private func deliver(_ values: [String: RedisReply]) {
        guard let job = values["job"]?.text, let answer = values["answer"]?.bytes else {
            return logger.warning("an answer without a job or without an answer is left aside")
        }
        // Read by whoever waits for it: one that takes long holds up no other.
        waiters.answer(job, .success(answer))
    }

    /// Removes the next entry, which is more than is read of one reply, and tells who waits for it.
    private func removeOversized(on connection: RedisConnection, after last: String) async throws {
        let key = keys.answers(to: name)
        let reply = try await connection.send(QueueScripts.removeNext(of: key, after: last))
        guard let parts = reply.elements, let id = parts.first?.text else { return }
        let job = parts.last?.text ?? ""
        logger.error(
            "an answer is too large to be read, and was removed",
            metadata: ["job": "\(job)", "entry": "\(id)"]
        )
        // An empty answer is none.
        waiters.answer(job, .success(ByteBuffer()))
    }

    private func followWorkers() async {
        var descriptions: [String: [WorkerAnnouncement.Model]] = [:]
        var lastSeen: [String: (model: RemoteModel, time: ContinuousClock.Instant)] = [:]
        while !Task.isCancelled {
            do {
                let announcements = try await announcements(knowing: &descriptions)
                let now = ContinuousClock.now
                lastSeen = lastSeen.filter { now - $0.value.time < settings.modelMemory }
                let catalogue = RemoteCatalogue(announcements, recent: lastSeen.values.map(\.model))
                for model in catalogue.models { lastSeen[model.name] = (model, now) }
                let names = catalogue.models.map(\.name)
                let loads = try await loads(of: names)
                let before = snapshot.withLock { snapshot in
                    defer { snapshot = Snapshot(catalogue: catalogue, loads: loads, obstacle: nil) }
                    return Set(snapshot.catalogue.models.map(\.name))
                }
                for name in names where !before.contains(name) {
                    logger.info("workers serve a model", metadata: ["model": "\(name)"])
                }
                for name in before.subtracting(names) {
                    logger.warning("no worker serves a model any more", metadata: ["model": "\(name)"])
                }
            } catch {
                snapshot.withLock { $0.obstacle = "\(error)" }
            }
            try? await Task.sleep(for: settings.pulse)
        }
    }

    /// What the workers that are there say of themselves.
    ///
    /// - Parameter descriptions: what was read before of their models; brought up to date.
    func announcements(knowing descriptions: inout [String: [WorkerAnnouncement.Model]]) async throws
        -> [WorkerAnnouncement]
    {
        let all = try await client.send(RedisCommand("SMEMBERS", .text(keys.workers))).elements?.compactMap(\.text)
        guard let all, !all.isEmpty else { return [] }
        let names = Array(all.prefix(AnnouncementBounds.workers))
        // Not MGET: of what is larger than any worker says, no more is fetched than shows that.
        let replies = try await client.send(names.map { beginning(of: keys.worker($0)) })
        let said = zip(names, replies)
        let gone = said.filter { $0.1.bytes?.readableBytes == 0 }.map(\.0)
        if !gone.isEmpty {
            try await client.send(RedisCommand(["SREM", .text(keys.workers)] + gone.map { .text($0) }))
        }
        let announcements = said.compactMap { name, reply in
            reply.bytes.flatMap { $0.readableBytes == 0 ? nil : $0 }.flatMap {
                read(WorkerAnnouncement.self, $0, of: name) { $0.fault }
            }
        }
        let digests = Set(announcements.filter { $0.models == nil }.compactMap(\.description))
        descriptions = descriptions.filter { digests.contains($0.key) }
        let unknown = digests.subtracting(descriptions.keys).sorted()
        if !unknown.isEmpty {
            let texts = try await client.send(unknown.map { beginning(of: keys.description($0)) })
            for (digest, text) in zip(unknown, texts) {
                guard let bytes = text.bytes, bytes.readableBytes > 0 else { continue }
                // What can't be used is not read again and again.
                descriptions[digest] = read([WorkerAnnouncement.Model].self, bytes, of: digest) { $0.fault } ?? []
            }
        }
        return announcements.map { $0.completed(from: descriptions) }
    }

    /// One byte more than anybody may say shows that it is too much.
    private func beginning(of key: String) -> RedisCommand {
        RedisCommand("GETRANGE", .text(key), 0, .integer(AnnouncementBounds.bytes))
    }

    private func read<Message: Decodable>(
        _ type: Message.Type,
        _ json: ByteBuffer,
        of name: String,
        fault: (Message) -> String?
    ) -> Message? {
        var reason = "it is more than \(AnnouncementBounds.bytes) bytes"
        if json.readableBytes <= AnnouncementBounds.bytes {
            do {
                let message = try JSONDecoder().decode(type, from: Data(buffer: json))
                guard let fault = fault(message) else { return message }
                reason = fault
            } catch {
                reason = "\(error)"
            }
        }
        let isNew = complaints.withLock { $0.count < 1000 && $0.insert(name).inserted }
        logger.log(
            level: isNew ? .warning : .debug,
            "what a worker says of itself can't be used",
            metadata: ["worker": "\(name.prefix(100))", "reason": "\(reason.prefix(500))"]
        )
        return nil
    }

    private func loads(of models: [String]) async throws -> [JobStream: QueueLoad] {
        let streams = models.flatMap { model in Lane.allCases.map { JobStream(model: model, lane: $0) } }
        guard !streams.isEmpty else { return [:] }
        let replies = try await client.send(streams.map { QueueScripts.load(of: $0, keys: keys) })
        return Dictionary(
            zip(streams, replies).compactMap { stream, reply in QueueLoad(reply).map { (stream, $0) } },
            uniquingKeysWith: { first, _ in first }
        )
    }
}
