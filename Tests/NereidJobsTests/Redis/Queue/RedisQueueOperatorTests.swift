// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import Testing

@testable import NereidJobs

@Suite("Operator of the queue", .enabled(if: RedisServer.isInstalled, RedisServer.missing), .timeLimit(.minutes(2)))
struct RedisQueueOperatorTests {
    @Test("sees how the queue stands, and puts dead letters back or throws them away")
    func letters() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let client = try RedisClientTests.client(server.url)
        let keys = QueueKeys()
        let stream = JobStream(model: "reef", lane: .interactive)
        let person = RedisQueueOperator(try server.address(), logger: RedisClientTests.quiet)
        #expect(try await person.status().isEmpty)
        for number in 1...3 {
            let entry = JobEntry(
                job: "a-\(number)",
                request: "request \(number)",
                options: .init(),
                timeout: .seconds(9),
                reply: "r",
                bytes: 5,
                picture: .key(keys.picture(of: "a-\(number)"))
            )
            try await client.send(RedisCommand("SET", .text(keys.picture(of: "a-\(number)")), "bytes", "PX", 9000))
            let added = try await client.send(QueueScripts.add(entry, to: stream, limits: .init(), keys: keys))
            guard number > 1 else { continue }
            let bury = QueueScripts.bury(
                entry,
                id: try #require(added.text),
                in: stream,
                reason: "it was too dark",
                answer: StoredAnswer(json: ByteBuffer(string: "{}"), isError: true),
                keptFor: .seconds(9),
                lettersKeptFor: .seconds(900),
                keys: keys
            )
            #expect(try await client.send(bury) == .integer(1))
        }
        let load = QueueLoad(waiting: 1, waitingBytes: 5, running: 0)
        #expect(try await person.status() == [.init(model: "reef", load: load, bulk: .idle, dead: 2)])
        let letters = try await person.deadLetters(of: "reef")
        #expect(letters.map(\.request) == ["request 2", "request 3"])
        #expect(letters.map(\.reason) == ["it was too dark", "it was too dark"])
        #expect(letters.map(\.bytes) == [5, 5])

        #expect(try await person.retry(letters[0].id, of: "reef"))
        #expect(try await !person.retry(letters[0].id, of: "reef"))
        let more = QueueLoad(waiting: 2, waitingBytes: 10, running: 0)
        #expect(try await person.status() == [.init(model: "reef", load: more, bulk: .idle, dead: 1)])
        let last = try await client.send(RedisCommand("XREVRANGE", "nereid:jobs:reef", "+", "-", "COUNT", 1))
        let again = try #require(last.elements?.first.flatMap(StreamEntry.init))
        let entry = try JobEntry(fields: again.fields)
        #expect(entry.request == "request 2" && entry.reply == nil)

        #expect(try await person.purgeDeadLetters(of: "reef") == 1)
        #expect(try await person.deadLetters(of: "reef").isEmpty)
        #expect(try await client.send(RedisCommand("EXISTS", .text(keys.picture(of: "a-3")))) == .integer(0))
        #expect(try await client.send(RedisCommand("EXISTS", .text(keys.picture(of: "a-2")))) == .integer(1))
        person.shutDown()
    }

    @Test("is told what may lose jobs on this server")
    func warnings() async throws {
        let careless = try await RedisServer(["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"])
        defer { careless.kill() }
        let told = try await RedisQueueOperator(try careless.address(), logger: RedisClientTests.quiet).warnings()
        #expect(told.count == 2)
        #expect(told.first?.contains("‘allkeys-lru’") == true && told.last?.contains("appendonly") == true)
        let careful = try await RedisServer(["--maxmemory", "100mb", "--appendonly", "yes"])
        defer { careful.kill() }
        #expect(try await RedisQueueOperator(try careful.address(), logger: RedisClientTests.quiet).warnings().isEmpty)
    }
}
