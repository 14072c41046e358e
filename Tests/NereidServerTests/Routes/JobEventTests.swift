// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import AsyncHTTPClient
import Foundation
import HTTPTypes
import HummingbirdTesting
import NIOCore
import NIOPosix
import NereidJobs
import NereidVision
import ServiceLifecycle
import Testing

@testable import NereidServer

@Suite("Events of jobs", .timeLimit(.minutes(1)))
struct JobEventTests {
    /// One event as a client reads it.
    struct Event: Equatable {
        var id: String?
        var name: String?
        var data = ""

        /// The events of a stream's text; comments have no name.
        static func all(in text: String) -> [Event] {
            text.split(separator: "\n\n").map { block in
                block.split(separator: "\n").reduce(into: Event()) { event, line in
                    if line.hasPrefix("id: ") { event.id = String(line.dropFirst(4)) }
                    if line.hasPrefix("event: ") { event.name = String(line.dropFirst(7)) }
                    if line.hasPrefix("data: ") { event.data = String(line.dropFirst(6)) }
                }
            }
        }

        var json: JSON { (try? JSONDecoder().decode(JSON.self, from: Data(data.utf8))) ?? .null }
    }

    static func store(pictures: Int) async throws -> StubJobStore {
        let store = StubJobStore()
        let pictures = (0..<pictures).map { BulkOrder.Picture(name: "\($0).png", bytes: ByteBuffer(string: "x")) }
        _ = try await store.accept(BulkOrder(model: "blocks", pictures: pictures))
        return store
    }

    @Test("of one that is done are all there at once, and the stream ends")
    func done() async throws {
        let store = try await Self.store(pictures: 120)
        for _ in 0..<120 { await store.answer("job-1") }
        try await TestServer(jobs: store).test { client in
            try await client.execute(uri: "/v1/jobs/job-1/events", method: .get) {
                #expect($0.status == .ok)
                #expect($0.headers[.contentType] == "text/event-stream")
                #expect($0.headers[.cacheControl] == "no-store")
                #expect(
                    $0.text.hasPrefix(
                        "retry: 2000\n\nid: 1\nevent: result\ndata: {\"detections\":[],\"file\":\"0.png\","
                    )
                )
                let events = Event.all(in: $0.text).dropFirst()
                #expect(events.dropLast().map(\.id) == (1...120).map(String.init))
                #expect(events.dropLast().allSatisfy { $0.name == "result" })
                #expect(events.dropLast().map(\.json.sequence) == (1...120).map { .number(Double($0)) })
                let last = try #require(events.last)
                #expect((last.id, last.name) == ("120", "done"))
                #expect((last.json.id, last.json.state) == ("job-1", "done"))
                #expect(last.json.keys == ["created", "expires", "finished", "id", "model", "pictures", "state"])
            }
            let later: [(String, HTTPFields)] = [
                ("?after=118", [:]), ("", [.lastEventID: "118"]), ("?after=3", [.lastEventID: "118"]),
            ]
            for (query, headers) in later {
                try await client.execute(uri: "/v1/jobs/job-1/events" + query, method: .get, headers: headers) {
                    #expect(Event.all(in: $0.text).compactMap(\.id) == ["119", "120", "120"])
                }
            }
            // A client that has every result still learns that the job is done.
            try await client.execute(uri: "/v1/jobs/job-1/events?after=120", method: .get) {
                #expect(Event.all(in: $0.text).compactMap(\.name) == ["done"])
            }
            try await client.execute(uri: "/v1/jobs/job-1/events", method: .head) {
                #expect($0.status == .ok)
                #expect($0.body.readableBytes == 0)
            }
        }
    }

    /// A server that runs as a service.
    struct Running: Sendable {
        fileprivate let group: ServiceGroup
        fileprivate let running: Task<Void, any Error>

        func triggerGracefulShutdown() async { await group.triggerGracefulShutdown() }
        func hasEnded() async throws { try await running.value }
    }

    /// Runs a server as a service, and stops it when the body is done.
    private func serve(
        _ store: StubJobStore,
        configure: (inout ServerConfiguration) -> Void = { _ in },
        _ body: (Int, Running) async throws -> Void
    ) async throws {
        let (ports, continuation) = AsyncStream<Int>.makeStream()
        let server = try await TestServer(jobs: store, ports: continuation) {
            $0.shutdownDelay = .zero
            configure(&$0)
        }
        let group = ServiceGroup(services: [server.server], logger: TestServer.logger)
        let running = Running(group: group, running: Task { try await group.run() })
        var iterator = ports.makeAsyncIterator()
        let port = try #require(await iterator.next())
        try await body(port, running)
        await running.triggerGracefulShutdown()
        try await running.hasEnded()
    }

    /// Runs a server, and reads a job's events from it.
    private func read(
        _ store: StubJobStore,
        configure: (inout ServerConfiguration) -> Void = { _ in },
        _ body: (Stream, Running) async throws -> Void
    ) async throws {
        try await serve(store, configure: configure) { port, running in
            let url = "http://127.0.0.1:\(port)/v1/jobs/job-1/events"
            let response = try await HTTPClient.shared.execute(HTTPClientRequest(url: url), timeout: .seconds(30))
            #expect(response.status == .ok)
            let stream = Stream(response.body)
            try await body(stream, running)
        }
    }

    /// A stream of events, read one by one.
    final class Stream: Sendable {
        private let body: HTTPClientResponse.Body
        init(_ body: HTTPClientResponse.Body) { self.body = body }

        /// Calls `take` with each block; ends with the stream, or when `take` says so.
        func read(_ take: (Event, String) async throws -> Bool) async throws {
            var text = ""
            for try await chunk in body {
                text += String(buffer: chunk)
                while let end = text.firstRange(of: "\n\n") {
                    let block = String(text[..<end.lowerBound])
                    text.removeSubrange(..<end.upperBound)
                    if try await take(Event.all(in: block).first ?? Event(), block) == false { return }
                }
            }
        }
    }

    @Test("come as results do")
    func live() async throws {
        let store = try await Self.store(pictures: 3)
        try await read(store) { stream, _ in
            var names: [String?] = []
            try await stream.read { event, block in
                if event.name != nil { names.append(event.name) }
                // Each result is asked for only when the one before has arrived.
                if block.hasPrefix("retry") || event.name == "result" { await store.answer("job-1") }
                return true
            }
            #expect(names == ["result", "result", "result", "done"])
        }
    }

    @Test("show that the connection lives while nothing comes")
    func heartbeat() async throws {
        let store = try await Self.store(pictures: 1)
        try await read(store, configure: { $0.eventHeartbeat = .milliseconds(20) }) { stream, _ in
            var comments = 0
            var last: String?
            try await stream.read { event, block in
                if block == ":" { comments += 1 }
                if comments == 3, event.name == nil { await store.answer("job-1") }
                last = event.name
                return true
            }
            #expect(comments >= 3)
            #expect(last == "done")
        }
    }

    @Test("end with a word when the job is removed")
    func removed() async throws {
        let store = try await Self.store(pictures: 2)
        try await read(store) { stream, _ in
            var last = Event()
            try await stream.read { event, block in
                if block.hasPrefix("retry") { await store.answer("job-1") }
                if event.name == "result" { #expect(await store.remove("job-1")) }
                last = event
                return true
            }
            #expect(last.name == "gone")
            #expect(last.id == nil)
            #expect(last.json.code == "job_not_found")
        }
    }

    @Test("end when the store can't be read, to be asked for again")
    func unavailable() async throws {
        let store = try await Self.store(pictures: 2)
        try await read(store) { stream, _ in
            var names: [String?] = []
            try await stream.read { event, block in
                if block.hasPrefix("retry") { await store.answer("job-1") }
                if event.name == "result" { await store.fail(with: .unavailable(reason: "no disk")) }
                names.append(event.name)
                return true
            }
            #expect(names == [nil, "result"])
        }
    }

    @Test("do not hold up a server that is told to stop", arguments: [false, true])
    func shutdown(isRead: Bool) async throws {
        let store = try await Self.store(pictures: 1)
        let begun = ContinuousClock.now
        try await read(store) { stream, group in
            for await _ in store.waits { break }
            await group.triggerGracefulShutdown()
            // The stream ends by itself; the job is not done.
            if isRead { try await stream.read { event, _ in event.name == nil } }
            try await group.hasEnded()
            withExtendedLifetime(stream) {}
        }
        #expect(ContinuousClock.now - begun < .seconds(20))
    }

    @Test("of a client that does not read do not hold up the server either")
    func slowReader() async throws {
        let store = try await Self.store(pictures: 400)
        let label = String(repeating: "x", count: 1000)
        let many = (0..<100).map { _ in
            Detection(box: Box(x1: 0, y1: 0, x2: 1, y2: 1), score: 1, classID: 0, label: label)
        }
        // 40 MB: more than any socket takes in.
        for _ in 0..<399 { await store.answer("job-1", .success(.detections(many))) }
        await store.say("job-1") { _ in 100_000 }
        let begun = ContinuousClock.now
        try await serve(store) { port, group in
            let silent = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .channelOption(.autoRead, value: false).connect(host: "127.0.0.1", port: port).get()
            let request = "GET /v1/jobs/job-1/events HTTP/1.1\r\nHost: localhost\r\n\r\n"
            try await silent.writeAndFlush(ByteBuffer(string: request))
            for await _ in store.reads { break }
            await group.triggerGracefulShutdown()
            try await group.hasEnded()
            // It may have noticed the end.
            try? await silent.close()
        }
        #expect(ContinuousClock.now - begun < .seconds(30))
    }

    @Test("are not written any more when the client has left")
    func clientLeaves() async throws {
        let store = try await Self.store(pictures: 2)
        try await read(store) { stream, _ in
            try await stream.read { _, _ in false }
        }
        // The server has ended, though the job is not done: nothing was left that writes.
        #expect(try await store.job("job-1")?.state == .waiting)
    }
}
