// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import NIOHPACK
import NIOHTTP2
import NereidJobs
import NereidVision
import Synchronization
import TestSupport
import Testing

@testable import NereidServer

@Suite(
    "HTTP/2",
    .enabled(if: TestAuthority.isAvailable, "openssl is missing; run scripts/setup --tests"),
    .timeLimit(.minutes(1))
)
struct HTTP2Tests {
    private static let path = "/v1/models/blocks/predict"

    @Test("says how many streams and what headers it allows")
    func settings() async throws {
        try await SecureServer.with { server in
            try await FrameClient.with(server) { client in
                let settings = await client.next { event -> HTTP2Settings? in
                    guard case .frame(let frame) = event, case .settings(.settings(let settings)) = frame.payload
                    else { return nil }
                    return settings
                }
                let values = (settings ?? []).map { "\($0.parameter) \($0.value)" }
                #expect(
                    settings?.contains(HTTP2Setting(parameter: .maxConcurrentStreams, value: 100)) == true,
                    "\(values)"
                )
                #expect(settings?.contains(HTTP2Setting(parameter: .maxHeaderListSize, value: 16_384)) == true)
            }
        }
    }

    @Test("answers pictures on streams beside each other")
    func pictures() async throws {
        try await SecureServer.with { server in
            try await FrameClient.with(server) { client in
                let picture = try TestPicture.blocks()
                try await client.request("POST", Self.path, on: 1, ends: false)
                try await client.request("POST", Self.path, on: 3, ends: false)
                try await client.data(picture, on: 3, ends: true)
                let third = await client.answer(on: 3)
                #expect(third?.status == "200")
                try await client.data(picture, on: 1, ends: true)
                let first = try #require(await client.answer(on: 1))
                #expect(first.status == "200")
                #expect(String(buffer: first.body).contains("\"label\":\"red\""))
            }
        }
    }

    @Test("refuses a stream beyond those it allows, and serves the others")
    func tooManyStreams() async throws {
        try await SecureServer.with { server in
            try await FrameClient.with(server, .bytes(over: "h2")) { client in
                try await client.send(RawFrame.preface)
                for number in 0..<100 { try await client.send(RawFrame.openPost(on: UInt32(number * 2 + 1))) }
                try await client.send(RawFrame.openPost(on: 201))
                var seen = ByteBuffer()
                let refusal = await client.next { event -> RawFrame? in
                    if case .bytes(let bytes) = event { seen.writeImmutableBuffer(bytes) }
                    while let frame = RawFrame(reading: &seen) {
                        // RST_STREAM or GOAWAY.
                        if frame.type == 3 || frame.type == 7 { return frame }
                    }
                    return nil
                }
                #expect(refusal != nil)
            }
            try await expectAnswer(server)
        }
    }

    @Test("ends a request with more headers than it allows, and lives")
    func headersTooLarge() async throws {
        try await SecureServer.with { server in
            try await FrameClient.with(server) { client in
                let long = String(repeating: "a", count: 20_000)
                try await client.request("GET", "/health/live", [("x-long", long)], on: 1, ends: true)
                await client.closed()
            }
            try await expectAnswer(server)
        }
    }

    @Test("tells a client that asks first to go on")
    func expectContinue() async throws {
        try await SecureServer.with { server in
            try await FrameClient.with(server) { client in
                try await client.request("POST", Self.path, [("expect", "100-continue")], on: 1, ends: false)
                let word = await client.next { event -> String? in
                    guard case .frame(let frame) = event, case .headers(let headers) = frame.payload else { return nil }
                    return headers.headers.first(name: ":status")
                }
                #expect(word == "100")
                try await client.data(TestPicture.blocks(), on: 1, ends: true)
                #expect(await client.answer(on: 1)?.status == "200")
            }
        }
    }

    @Test("refuses what is too large without waiting for it, and asks the client to stop")
    func earlyRefusal() async throws {
        try await SecureServer.with(hosts: ["localhost"]) {
            $0.maxRequestBytes = 1000
        } _: { server in
            try await FrameClient.with(server) { client in
                try await client.request("POST", Self.path, [("content-length", "5000")], on: 1, ends: false)
                let answer = try #require(await client.answer(on: 1))
                #expect(answer.status == "413")
                // Forbidden in HTTP/2.
                #expect(answer.headers["connection"].isEmpty)
                #expect(await client.reset(of: 1) == .noError)
                // Only the stream has ended.
                try await client.request("GET", "/health/live", on: 3, ends: true)
                #expect(await client.answer(on: 3)?.status == "200")
            }
        }
    }

    @Test("bounds the memory of uploads on all streams together, and gets it back")
    func uploadMemory() async throws {
        try await SecureServer.with(hosts: ["localhost"]) {
            $0.maxUploadMemory = 60_000
        } _: { server in
            try await FrameClient.with(server) { client in
                let piece = ByteBuffer(repeating: 1, count: 16_000)
                for stream: HTTP2StreamID in [1, 3] {
                    try await client.request("POST", Self.path, on: stream, ends: false)
                }
                for _ in 0..<2 { try await client.data(piece, on: 1, ends: false) }
                for _ in 0..<2 { try await client.data(piece, on: 3, ends: false) }
                let refused = await client.next { event -> (HTTP2StreamID, String?)? in
                    guard case .frame(let frame) = event, case .headers(let headers) = frame.payload else { return nil }
                    return (frame.streamID, headers.headers.first(name: ":status"))
                }
                #expect(refused?.1 == "503")
                // The other one is given up by its client.
                try await client.send(.rstStream(.cancel), on: refused?.0 == 1 ? 3 : 1)
                var stream: HTTP2StreamID = 5
                var bytes = ""
                while !bytes.contains("nereid_upload_bytes 0") {
                    try await client.request("GET", "/metrics", on: stream, ends: true)
                    bytes = await client.answer(on: stream).map { String(buffer: $0.body) } ?? "nereid_upload_bytes 0"
                    stream = stream.advanced(by: 2)
                }
            }
        }
    }

    /// How a client may go.
    enum Leaving: CaseIterable { case reset, close }

    @Test("cancels a job when its client gives up", arguments: Leaving.allCases)
    func clientLeaves(leaving: Leaving) async throws {
        let (events, event) = AsyncStream<String>.makeStream()
        let queue = StubQueue { _ in
            event.yield("begun")
            do { try await Task.sleep(for: .seconds(60)) } catch { event.yield("cancelled") }
            throw CancellationError()
        }
        try await SecureServer.with(queue: queue) { server in
            var iterator = events.makeAsyncIterator()
            try await FrameClient.with(server) { client in
                try await client.request("POST", Self.path, on: 1, ends: false)
                try await client.data(TestPicture.blocks(), on: 1, ends: true)
                #expect(await iterator.next() == "begun")
                switch leaving {
                case .reset: try await client.send(.rstStream(.cancel), on: 1)
                case .close: try await client.leave()
                }
                #expect(await iterator.next() == "cancelled")
            }
        }
    }

    @Test("told to stop, says so, answers what it has taken, and closes")
    func shutdown() async throws {
        let (begun, begin) = AsyncStream<Void>.makeStream()
        let (goes, go) = AsyncStream<Void>.makeStream()
        let queue = StubQueue { _ in
            begin.yield()
            for await _ in goes { break }
            throw JobError.queueFull(model: "blocks", limit: "1 picture", setting: "queue_jobs")
        }
        try await SecureServer.with(queue: queue) { server in
            var iterator = begun.makeAsyncIterator()
            try await FrameClient.with(server) { client in
                try await client.request("POST", Self.path, on: 1, ends: false)
                try await client.data(TestPicture.blocks(), on: 1, ends: true)
                _ = await iterator.next()
                await server.stop()
                var last: [Int] = []
                while last.count < 2 {
                    let goAway = await client.next { event -> Int? in
                        guard case .frame(let frame) = event, case .goAway(let stream, .noError, _) = frame.payload
                        else { return nil }
                        return Int(stream)
                    }
                    last.append(try #require(goAway))
                }
                #expect(last == [Int(Int32.max), 1])
                go.yield()
                #expect(await client.answer(on: 1)?.status == "503")
                await client.closed()
            }
            try await server.ended()
        }
    }

    @Test("takes a body of another length than said for the client's fault", arguments: [5, 500_000])
    func wrongLength(said: Int) async throws {
        try await SecureServer.with { server in
            try await FrameClient.with(server) { client in
                try await client.request("POST", Self.path, [("content-length", "\(said)")], on: 1, ends: false)
                try await client.data(TestPicture.blocks(), on: 1, ends: true)
                #expect(await client.reset(of: 1) == .protocolError)
                // Only the stream has ended.
                try await client.request("GET", "/health/live", on: 3, ends: true)
                #expect(await client.answer(on: 3)?.status == "200")
            }
        }
    }

    @Test("counts such a body as a bad request, and a stream that its client resets as one that it has left")
    func faultsOfClients() {
        #expect(Problem(NIOHTTP2Errors.contentLengthViolated()).code == .malformedUpload)
        #expect(Problem(NIOHTTP2Errors.streamClosed(streamID: 1, errorCode: .cancel)).code == .clientGone)
        #expect(Problem(NIOHTTP2Errors.streamClosed(streamID: 1, errorCode: .protocolError)).code == .malformedUpload)
    }

    @Test("says at the signal to stop that the connection ends, while new ones are taken")
    func stopping() async throws {
        try await SecureServer.with(hosts: ["localhost"]) {
            $0.shutdownDelay = .seconds(3)
        } _: { server in
            try await FrameClient.with(server) { client in
                try await client.request("GET", "/health/ready", on: 1, ends: true)
                #expect(await client.answer(on: 1)?.status == "200")
                await server.stop()
                let last = await client.next { event -> Int? in
                    guard case .frame(let frame) = event, case .goAway(let stream, .noError, _) = frame.payload
                    else { return nil }
                    return Int(stream)
                }
                #expect(last == Int(Int32.max))
                await client.closed()
            }
            try await FrameClient.with(server) { client in
                try await client.request("GET", "/health/ready", on: 1, ends: true)
                #expect(await client.answer(on: 1)?.status == "503")
                await client.closed()
            }
        }
    }

    @Test("refuses a host that is not its own, and one that is named twice in two ways")
    func hosts() async throws {
        try await SecureServer.with { server in
            try await FrameClient.with(server) { client in
                let fields = [(":method", "GET"), (":path", "/v1/models"), (":scheme", "https")]
                for (stream, more, status) in [
                    (1, [(":authority", "evil.example")], "421"), (3, [("host", "evil.example")], "421"),
                    (5, [("host", "localhost:1")], "200"), (7, [], "400"),
                    (9, [(":authority", "localhost"), ("host", "evil.example")], "400"),
                    (11, [(":authority", "localhost"), ("host", "localhost")], "200"),
                ] as [(Int, [(String, String)], String)] {
                    let stream = HTTP2StreamID(stream)
                    try await client.send(
                        .headers(.init(headers: HPACKHeaders(fields + more), endStream: true)),
                        on: stream
                    )
                    #expect(await client.answer(on: stream)?.status == status, "\(more)")
                }
            }
        }
    }

    @Test("told to stop, does not wait for a client that has no request")
    func shutdownWhileIdle() async throws {
        try await SecureServer.with { server in
            try await FrameClient.with(server) { client in
                try await client.request("GET", "/health/live", on: 1, ends: true)
                #expect(await client.answer(on: 1)?.status == "200")
                await server.stop()
                await client.closed()
                try await server.ended()
            }
        }
    }

    /// What a client says that then falls silent, and does not even answer a ping.
    @Test(
        "closes a connection without a request after idle_timeout, whatever its client does",
        arguments: [[], Array(RawFrame.preface.prefix(10)), RawFrame.preface]
    )
    func silence(bytes: [UInt8]) async throws {
        try await SecureServer.with(hosts: ["localhost"]) {
            $0.idleTimeout = .milliseconds(300)
        } _: { server in
            let begun = ContinuousClock.now
            try await FrameClient.with(server, .bytes(over: "h2")) { client in
                if !bytes.isEmpty { try await client.send(bytes) }
                await client.closed()
                #expect(ContinuousClock.now - begun >= .milliseconds(290))
            }
        }
    }

    @Test("resets a stream whose request does not come, after idle_timeout")
    func silentStream() async throws {
        try await SecureServer.with(hosts: ["localhost"]) {
            $0.idleTimeout = .milliseconds(300)
        } _: { server in
            try await FrameClient.with(server) { client in
                try await client.request("POST", Self.path, on: 1, ends: false)
                #expect(await client.reset(of: 1) == .cancel)
            }
        }
    }

    @Test("gives a request up that does not come whole, after request_timeout")
    func slowUpload() async throws {
        try await SecureServer.with(hosts: ["localhost"]) {
            $0.requestTimeout = .milliseconds(300)
        } _: { server in
            try await FrameClient.with(server) { client in
                try await client.request("POST", Self.path, on: 1, ends: false)
                try await client.data(ByteBuffer(string: "x"), on: 1, ends: false)
                #expect(await client.answer(on: 1)?.status == "408")
            }
        }
    }

    @Test("gives up an answer that its client does not let through, after idle_timeout")
    func unreadAnswer() async throws {
        try await SecureServer.with(hosts: ["localhost"]) {
            $0.idleTimeout = .milliseconds(300)
        } _: { server in
            let settings = [HTTP2Setting(parameter: .initialWindowSize, value: 0)]
            try await FrameClient.with(server, .frames(settings)) { client in
                try await client.request("GET", "/", on: 1, ends: true)
                let answer = await client.answer(on: 1)
                #expect(answer?.status == "200")
                #expect(answer?.reset == .cancel)
            }
        }
    }

    private func expectAnswer(_ server: SecureServer) async throws {
        try await FrameClient.with(server) { client in
            try await client.request("GET", "/health/live", on: 1, ends: true)
            #expect(await client.answer(on: 1)?.status == "200")
        }
    }
}

/// A frame of HTTP/2 as bytes (RFC 9113, 4.1).
struct RawFrame {
    let type: UInt8
    let stream: UInt32
    let payload: ByteBuffer

    /// What a client begins with: the magic words, and settings that say nothing.
    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + bytes(type: 4, flags: 0, stream: 0, [])

    /// A request `POST /` that goes on: the static entries 3, 4 and 7 of RFC 7541, and the name of the host.
    static func openPost(on stream: UInt32) -> [UInt8] {
        bytes(type: 1, flags: 4, stream: stream, [0x83, 0x84, 0x87, 0x41, 9] + Array("localhost".utf8))
    }

    private static func bytes(type: UInt8, flags: UInt8, stream: UInt32, _ payload: [UInt8]) -> [UInt8] {
        let length = [UInt8(payload.count >> 16), UInt8(payload.count >> 8 & 0xFF), UInt8(payload.count & 0xFF)]
        let id = (0..<4).map { UInt8(truncatingIfNeeded: stream >> (24 - 8 * $0)) }
        return length + [type, flags] + id + payload
    }

    init?(reading bytes: inout ByteBuffer) {
        guard let head = bytes.getBytes(at: bytes.readerIndex, length: 9) else { return nil }
        let length = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
        guard bytes.readableBytes >= 9 + length else { return nil }
        bytes.moveReaderIndex(forwardBy: 9)
        type = head[3]
        stream = head[5...8].reduce(0) { $0 << 8 | UInt32($1) } & 0x7FFF_FFFF
        payload = bytes.readSlice(length: length) ?? ByteBuffer()
    }
}
