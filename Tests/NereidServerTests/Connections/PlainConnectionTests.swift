// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import NereidJobs
import Testing

@testable import NereidServer

@Suite("Connections without TLS, on real sockets", .timeLimit(.minutes(1)))
struct PlainConnectionTests {
    // MARK: Clients that do not read

    @Test(
        "those that pipeline requests and do not read are closed after idle_timeout, and health is answered meanwhile"
    )
    func unreadAnswers() async throws {
        try await PlainServer.with {
            $0.idleTimeout = .seconds(1)
            $0.maxConnections = 2
        } _: { server in
            let requests = String(repeating: "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", count: 3000)
            try await ByteClient.with(server.port, reads: false) { first in
                try await ByteClient.with(server.port, reads: false) { second in
                    for client in [first, second] { client.begin(requests) }
                    while try await server.status(of: "GET /v1/models") != "HTTP/1.1 503 Service Unavailable" {}
                    #expect(try await server.status(of: "GET /health/live") == "HTTP/1.1 200 OK")
                    #expect(try await server.status(of: "GET /health/ready") == "HTTP/1.1 200 OK")
                    while try await server.status(of: "GET /v1/models") != "HTTP/1.1 200 OK" {}
                }
            }
        }
    }

    @Test("where there are too many connections, the answer says so and when to try again")
    func tooMany() async throws {
        let (begun, begin) = AsyncStream<Void>.makeStream()
        let queue = StubQueue { _ in
            begin.yield()
            try await Task.sleep(for: .seconds(60))
            throw CancellationError()
        }
        try await PlainServer.with(queue: queue) {
            $0.maxConnections = 1
        } _: { server in
            try await ByteClient.with(server.port) { busy in
                let picture = try TestPicture.blocks()
                let head =
                    "POST /v1/models/blocks/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(picture.readableBytes)"
                try await busy.send("\(head)\r\n\r\n")
                try await busy.send(picture)
                var iterator = begun.makeAsyncIterator()
                _ = await iterator.next()
                let answer = try await server.says(to: "GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n")
                #expect(answer.hasPrefix("HTTP/1.1 503 "))
                for line in [
                    "Connection: close\r\n", "Retry-After: 2\r\n", "\"too_many_connections\"",
                    "(setting max_connections)",
                ] {
                    #expect(answer.contains(line), "\(answer)")
                }
                let health = try await server.says(to: "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
                #expect(health.hasPrefix("HTTP/1.1 200 ") && health.contains("Connection: close\r\n"))
            }
        }
    }

    @Test("those without a request give way to others")
    func eviction() async throws {
        try await PlainServer.with {
            $0.maxConnections = 2
        } _: { server in
            try await ByteClient.with(server.port) { first in
                try await first.send("GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
                _ = await first.everything(until: "live")
                try await ByteClient.with(server.port) { _ in
                    while try await server.status(of: "GET /v1/models") != "HTTP/1.1 200 OK" {}
                }
            }
        }
    }

    // MARK: Hosts

    @Test(
        "a request without a host, or with two, is refused",
        arguments: ["", "Host: localhost\r\nHost: localhost\r\n", "Host: a b\r\n", "Host:\r\n"]
    )
    func badHost(lines: String) async throws {
        try await PlainServer.with { server in
            let answer = try await server.says(to: "GET /health/live HTTP/1.1\r\n\(lines)Connection: close\r\n\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 400 "), "\(answer)")
            #expect(answer.contains("\"bad_request\""))
            let old = try await server.says(to: "GET /health/live HTTP/1.0\r\n\r\n")
            #expect(old.hasPrefix("HTTP/1.0 200 OK\r\n"))
        }
    }

    @Test("on this machine's own listener, a request for another host is refused, unless the setting names it")
    func foreignHost() async throws {
        let paths = ["/", "/v1/models", "/health/ready", "/metrics", "/nothing"]
        try await PlainServer.with { server in
            for path in paths {
                let answer = try await server.says(
                    to: "GET \(path) HTTP/1.1\r\nHost: evil.example:\(server.port)\r\nConnection: close\r\n\r\n"
                )
                #expect(answer.hasPrefix("HTTP/1.1 421 Misdirected Request\r\n"))
                #expect(answer.contains("\"host_not_served\"") && answer.contains("--hosts evil.example"))
            }
            for host in ["localhost:\(server.port)", "127.0.0.1:\(server.port)", "[::1]"] {
                #expect(try await server.status(of: "GET /v1/models", host: host) == "HTTP/1.1 200 OK")
            }
        }
        try await PlainServer.with {
            $0.hosts.patterns = ["evil.example"].compactMap { HostRules.Pattern($0) }
        } _: { server in
            let status = try await server.status(of: "GET /v1/models", host: "evil.example")
            #expect(status == "HTTP/1.1 200 OK")
        }
    }

    @Test("on a listener for other machines too, any host is answered for, and those of the setting where it is set")
    func listenerForAll() async throws {
        try await PlainServer.with {
            $0.host = "0.0.0.0"
        } _: { server in
            let status = try await server.status(of: "GET /v1/models", host: "any.example")
            #expect(status == "HTTP/1.1 200 OK")
        }
        try await PlainServer.with {
            $0.host = "0.0.0.0"
            $0.hosts.patterns = ["reef.example"].compactMap { HostRules.Pattern($0) }
        } _: { server in
            for (host, path, status) in [
                ("reef.example", "/v1/models", "200 OK"), ("any.example", "/v1/models", "421 Misdirected Request"),
                ("any.example", "/health/ready", "200 OK"), ("127.0.0.1:\(server.port)", "/metrics", "200 OK"),
                ("10.9.8.7", "/metrics", "421 Misdirected Request"), ("10.9.8.7", "/health/live", "200 OK"),
            ] {
                let answer = try await server.status(of: "GET \(path)", host: host)
                #expect(answer == "HTTP/1.1 \(status)", "\(host) \(path)")
            }
        }
    }

    // MARK: Versions and methods

    @Test("HEAD is answered like GET without its body, for every path, a stream of events too")
    func head() async throws {
        let store = StubJobStore()
        let order = BulkOrder(
            model: "blocks",
            pictures: [.init(name: nil, bytes: try TestPicture.blocks())],
            options: .init()
        )
        let job = try await store.accept(order).job
        try await PlainServer.with(jobs: store) { server in
            let paths = ["/", "/v1/models", "/v1/jobs", "/v1/jobs/\(job.id)", "/v1/jobs/\(job.id)/events", "/metrics"]
            let requests = paths.map { "HEAD \($0) HTTP/1.1\r\nHost: localhost\r\n\r\n" }.joined()
            let answers = try await server.says(
                to: requests + "GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            )
            // One head after the other, and nothing between them.
            let heads = answers.split(separator: "\r\n\r\n").map(String.init)
            #expect(heads.count >= paths.count)
            for head in heads.prefix(paths.count) {
                #expect(head.hasPrefix("HTTP/1.1 200 OK\r\n"), "\(head)")
                #expect(!head.lowercased().contains("transfer-encoding"))
            }
            #expect(heads[4].contains("text/event-stream"))
        }
    }

    @Test("a stream of events goes to HTTP/1.0 as it is, and ends with the connection")
    func eventsForHTTP10() async throws {
        let store = StubJobStore()
        let order = BulkOrder(
            model: "blocks",
            pictures: [.init(name: nil, bytes: try TestPicture.blocks())],
            options: .init()
        )
        let job = try await store.accept(order).job
        _ = await store.remove(job.id)
        try await PlainServer.with(jobs: store) { server in
            let gone = try await server.says(to: "GET /v1/jobs/\(job.id)/events HTTP/1.0\r\n\r\n")
            #expect(gone.hasPrefix("HTTP/1.0 404 Not Found\r\n"))
        }
        let other = try await store.accept(order).job
        try await PlainServer.with(jobs: store) { server in
            try await ByteClient.with(server.port) { client in
                try await client.send("GET /v1/jobs/\(other.id)/events HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
                let begun = await client.everything(until: "retry: ")
                #expect(begun.hasPrefix("HTTP/1.0 200 OK\r\n") && begun.contains("Connection: close\r\n"))
                #expect(!begun.lowercased().contains("chunked"))
                #expect(begun.contains("\r\n\r\nretry: "))
                await server.stop()
                _ = await client.everything()
            }
        }
    }

    // MARK: Stopping

    @Test("in shutdown_delay, requests are answered as the last of their connections, and new connections are taken")
    func stopping() async throws {
        try await PlainServer.with {
            $0.shutdownDelay = .seconds(2)
        } _: { server in
            try await ByteClient.with(server.port) { client in
                try await client.send("GET /health/ready HTTP/1.1\r\nHost: localhost\r\n\r\n")
                #expect(await client.everything(until: "ready\"}").contains("Connection: close") == false)
                await server.stop()
                while try await server.status(of: "GET /health/ready") == "HTTP/1.1 200 OK" {}
                try await client.send("GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n")
                let last = await client.everything()
                #expect(last.hasPrefix("HTTP/1.1 200 OK\r\n") && last.contains("Connection: close\r\n"))
            }
            let ready = try await server.says(to: "GET /health/ready HTTP/1.1\r\nHost: localhost\r\n\r\n")
            #expect(ready.hasPrefix("HTTP/1.1 503 ") && ready.contains("Connection: close\r\n"))
            try await server.ended()
        }
    }

    @Test(
        "an upload that had begun before the signal to stop is read to its end and answered",
        arguments: [false, true]
    )
    func uploadWhileStopping(asksFirst: Bool) async throws {
        try await PlainServer.with { server in
            try await ByteClient.with(server.port) { client in
                let picture = try TestPicture.blocks()
                let head =
                    "POST /v1/models/blocks/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(picture.readableBytes)"
                try await client.send(head + (asksFirst ? "\r\nExpect: 100-continue" : "") + "\r\n\r\n")
                if asksFirst {
                    #expect(await client.everything(until: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
                } else {
                    // Connections are taken in turn: when a later one is answered, this one is there.
                    #expect(try await server.status(of: "GET /health/live") == "HTTP/1.1 200 OK")
                }
                await server.stop()
                await server.stopsListening()
                try await client.send(picture)
                let answer = await client.everything()
                #expect(answer.contains("HTTP/1.1 200 OK\r\n") && answer.contains("Connection: close\r\n"))
                #expect(answer.contains("\"label\":\"red\""))
                try await server.ended()
            }
        }
    }
}
