// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Crypto
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NereidJobs
import Synchronization
import Testing

@testable import NereidServer

@Suite("Webhooks", .timeLimit(.minutes(1)))
struct WebhookSenderTests {
    static let secret = "not much of a secret"
    static let time = Date(timeIntervalSince1970: 1_795_604_500)

    /// A store with one finished job of one picture.
    static func store(_ url: String) async throws -> StubJobStore {
        let store = StubJobStore()
        let picture = BulkOrder.Picture(name: "a.png", bytes: ByteBuffer(string: "x"))
        let (job, _) = try await store.accept(BulkOrder(model: "reef", pictures: [picture], webhook: url))
        await store.answer(job.id)
        return store
    }

    static func delivery(
        allowed: [String] = ["127.0.0.1", "hooks.test"],
        addresses: [String: [String]] = ["hooks.test": ["127.0.0.1"]]
    ) -> WebhookDelivery {
        WebhookDelivery(
            rules: WebhookAddressRules(allowedHosts: allowed.compactMap { WebhookTarget.Host($0) }),
            secret: WebhookSecret(secret),
            resolver: HostResolver { name in (addresses[name] ?? []).compactMap { IPAddress($0) } },
            now: { time }
        )
    }

    /// Runs a sender until so many attempts are settled.
    static func settle(
        _ count: Int,
        of store: StubJobStore,
        with delivery: WebhookDelivery = delivery()
    ) async -> [StubJobStore.Settlement] {
        var schedule = WebhookSchedule()
        schedule.jitter = 0...0
        let sender = WebhookSender(
            store: store,
            delivery: delivery,
            schedule: schedule,
            pause: .milliseconds(1),
            logger: TestServer.logger
        )
        return await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await sender.run() }
            var settlements: [StubJobStore.Settlement] = []
            for await settlement in store.settlements {
                settlements.append(settlement)
                if settlements.count == count { break }
            }
            group.cancelAll()
            return settlements
        }
    }

    @Test("are told of a finished job, once, in a message that they can check")
    func delivered() async throws {
        try await WebhookReceiver.with(answer: { _ in Response(status: .noContent) }) { receiver in
            let store = try await Self.store("http://hooks.test:\(receiver.port)/done?lab=1")
            let settlements = await Self.settle(1, of: store)
            #expect(settlements.map(\.state) == [.delivered])
            #expect(settlements[0].retry == nil)
            #expect(receiver.messages.count == 1)
            let message = try #require(receiver.messages.first)
            #expect(message.path == "/done?lab=1")
            #expect(message.headers[.contentType] == "application/json")
            #expect(message.headers[HTTPField.Name("Nereid-Job")!] == "job-1")
            #expect(message.headers[HTTPField.Name("Nereid-Attempt")!] == "1")
            // The name stays what it was though the connection went to an address.
            let body = String(buffer: message.body)
            let json = try JSONDecoder().decode(JSON.self, from: Data(body.utf8))
            #expect((json.id, json.model, json.state) == ("job-1", "reef", "done"))
            #expect((json.pictures.total, json.pictures.done, json.pictures.failed) == (1, 1, 0))
            #expect(json.webhook.state == "waiting")
            let signature = try #require(message.headers[HTTPField.Name("Nereid-Signature")!])
            let key = SymmetricKey(data: Data(Self.secret.utf8))
            let expected = HMAC<SHA256>.authenticationCode(for: Data("1795604500.\(body)".utf8), using: key)
            #expect(signature == "t=1795604500,v1=\(expected.map { String(format: "%02x", $0) }.joined())")
        }
    }

    @Test("that fail are asked again after longer and longer waits, and then given up")
    func givenUp() async throws {
        let answers = [500, 404, 302, 503, 429, 500, 500]
        let answer: @Sendable (Int) -> Response = { number in
            Response(status: .init(code: answers[number]), headers: [.location: "http://127.0.0.1:1/elsewhere"])
        }
        try await WebhookReceiver.with(answer: answer) { receiver in
            let store = try await Self.store("http://127.0.0.1:\(receiver.port)/")
            let settlements = await Self.settle(7, of: store)
            #expect(settlements.dropLast().allSatisfy { $0.state == .waiting })
            #expect(settlements.last?.state == .givenUp(reason: "after 7 attempts: it answered 500"))
            let waits = settlements.map { $0.retry.map { $0.timeIntervalSince(Self.time) } }
            #expect(waits == [10, 30, 120, 600, 3600, 21_600, nil])
            let attempts = receiver.messages.map { $0.headers[HTTPField.Name("Nereid-Attempt")!] }
            #expect(attempts == ["1", "2", "3", "4", "5", "6", "7"])
        }
    }

    @Test("that come to their senses are delivered")
    func recovery() async throws {
        let answer: @Sendable (Int) -> Response = { Response(status: $0 == 0 ? .internalServerError : .ok) }
        try await WebhookReceiver.with(answer: answer) { receiver in
            let store = try await Self.store("http://127.0.0.1:\(receiver.port)/")
            #expect(await Self.settle(2, of: store).map(\.state) == [.waiting, .delivered])
        }
    }

    @Test("go on with the trace of the order, each with an id of its own")
    func trace() async throws {
        try await WebhookReceiver.with(answer: { _ in Response(status: .ok) }) { receiver in
            let name = HTTPField.Name("traceparent")!
            var notice = notice("http://127.0.0.1:\(receiver.port)/")
            #expect(await Self.delivery().send(notice) == .delivered)
            notice.trace = TraceParent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
            for _ in 0..<2 { #expect(await Self.delivery().send(notice) == .delivered) }
            let values = receiver.messages.map { $0.headers[name] }
            #expect(values[0] == nil)
            let sent = try values.dropFirst().map { try #require($0.flatMap(TraceParent.init)) }
            #expect(sent.allSatisfy { $0.traceID == "0af7651916cd43dd8448eb211c80319c" })
            #expect(Set(sent + [try #require(notice.trace)]).count == 3)
        }
    }

    private func notice(_ url: String) -> BulkNotice {
        let job = BulkJob(id: "job-1", model: "reef", created: StubJobStore.created, pictures: 1)
        return BulkNotice(job: job, url: url, attempts: 0)
    }

    @Test("get no redirect followed, no slow answer waited for, and the reason is said")
    func failures() async throws {
        let answer: @Sendable (Int) async throws -> Response = { number in
            if number == 0 { return Response(status: .found, headers: [.location: "http://127.0.0.1:1/"]) }
            try await Task.sleep(for: .seconds(3600))
            return Response(status: .ok)
        }
        try await WebhookReceiver.with(answer: answer) { receiver in
            var delivery = Self.delivery()
            let notice = notice("http://127.0.0.1:\(receiver.port)/")
            #expect(
                await delivery.send(notice)
                    == .failed(reason: "it answered 302, but redirects are not followed")
            )
            delivery.timeout = .seconds(1)
            #expect(await delivery.send(notice) == .failed(reason: "it did not answer within 1 s"))
            #expect(receiver.messages.count == 2)
        }
        // Nobody listens at a port that was let go.
        let port = try await WebhookReceiver.with(answer: { _ in Response(status: .ok) }) { $0.port }
        let gone = await Self.delivery().send(notice("http://127.0.0.1:\(port)/"))
        #expect(gone == .failed(reason: "the connection was refused"))
    }

    @Test("are asked at the address that was looked at, the next one if it can't be reached")
    func addresses() async throws {
        try await WebhookReceiver.with(answer: { _ in Response(status: .ok) }) { receiver in
            // 127.0.0.2 is this machine too, but the receiver does not listen there.
            let delivery = Self.delivery(addresses: ["hooks.test": ["127.0.0.2", "127.0.0.1"]])
            #expect(await delivery.send(notice("http://hooks.test:\(receiver.port)/")) == .delivered)
        }
    }

    @Test("that lead where they may not are never asked")
    func refusals() async throws {
        try await WebhookReceiver.with(answer: { _ in Response(status: .ok) }) { receiver in
            let port = receiver.port
            let delivery = Self.delivery(
                allowed: [],
                addresses: [
                    "inside.test": ["127.0.0.1"], "mixed.test": ["8.8.8.8", "127.0.0.1"],
                    "mapped.test": ["::ffff:127.0.0.1"],
                ]
            )
            let urls = [
                "http://127.0.0.1:\(port)/", "https://127.0.0.1:\(port)/", "http://inside.test:\(port)/",
                "https://inside.test:\(port)/", "https://mixed.test:\(port)/", "https://mapped.test:\(port)/",
                "https://[::ffff:127.0.0.1]:\(port)/", "https://2130706433:\(port)/", "https://localhost:\(port)/",
            ]
            for url in urls {
                let outcome = await delivery.send(notice(url))
                guard case .refused(let reason) = outcome else {
                    Issue.record("\(url): \(outcome)")
                    continue
                }
                #expect(reason.hasPrefix("the webhook"), "\(reason)")
            }
            // A name without an address may get one.
            let unknown = await delivery.send(notice("https://nowhere.test/"))
            #expect(unknown == .failed(reason: "the webhook's host ‘nowhere.test’ has no address"))
            #expect(receiver.messages.isEmpty)
            let store = try await Self.store("https://inside.test:\(port)/")
            let settled = await Self.settle(1, of: store, with: delivery)
            guard case .givenUp(let reason) = settled[0].state else {
                Issue.record("\(settled[0].state)")
                return
            }
            #expect(reason.contains("leads to 127.0.0.1"))
        }
    }

    @Test("wait while jobs can't be read, and go on after")
    func unavailable() async throws {
        try await WebhookReceiver.with(answer: { _ in Response(status: .ok) }) { receiver in
            let store = try await Self.store("http://127.0.0.1:\(receiver.port)/")
            await store.fail(with: .unavailable(reason: "no disk"))
            async let settlements = Self.settle(1, of: store)
            await Task.yield()
            await store.fail(with: nil)
            #expect(await settlements.map(\.state) == [.delivered])
        }
    }

    @Test("are asked seven times, each wait a little longer than the one that is told")
    func schedule() throws {
        let schedule = WebhookSchedule()
        #expect(schedule.attempts == 7)
        for (attempts, seconds) in zip(1..., [10.0, 30, 120, 600, 3600, 21_600]) {
            for _ in 0..<20 {
                let wait = try #require(schedule.wait(after: attempts)) / .seconds(1)
                #expect((seconds...seconds * 1.2).contains(wait))
            }
        }
        for attempts in [-1, 0, 7, .max] { #expect(schedule.wait(after: attempts) == nil) }
    }

    @Test("have a secret that does not show")
    func secrecy() {
        var configuration = ServerConfiguration()
        configuration.webhooks.secret = WebhookSecret("hidden words")
        var dumped = ""
        dump(configuration, to: &dumped)
        for text in ["\(configuration)", String(reflecting: configuration), dumped] {
            #expect(!text.contains("hidden words"))
        }
        #expect("\(WebhookSecret("hidden words"))" == "(not shown)")
    }
}
