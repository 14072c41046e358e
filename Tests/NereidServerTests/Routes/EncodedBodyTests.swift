// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import Testing

@testable import NereidServer

@Suite("Bodies that are encoded or wrapped")
struct EncodedBodyTests {
    @Test(
        "are decoded as Content-Encoding says",
        arguments: [
            ("gzip", Deflated.Form.gzip), ("x-gzip", .gzip), ("GZIP", .gzip), ("identity, gzip", .gzip),
            ("deflate", .zlib), ("deflate", .raw),
        ]
    )
    func decoded(value: String, form: Deflated.Form) async throws {
        try await TestServer().test { client in
            let picture = try TestPicture.blocks()
            let bodies: [(HTTPFields, ByteBuffer)] = [
                ([:], picture), (Form.headers, Form().file("reef.png", picture).field("confidence", "0.5").body),
            ]
            for (headers, body) in bodies {
                var headers = headers
                headers[.contentEncoding] = value
                let encoded = Deflated.bytes(body, as: form)
                try await client.execute(uri: PredictRouteTests.path, method: .post, headers: headers, body: encoded) {
                    #expect($0.status == .ok, "\($0.text)")
                    #expect($0.json.detections.elements.map(\.box) == [PredictRouteTests.red, PredictRouteTests.green])
                }
            }
        }
    }

    @Test("are taken as they are where the header says that nothing was done", arguments: ["identity", ""])
    func identity(value: String) async throws {
        try await TestServer().test { client in
            try await client.execute(
                uri: PredictRouteTests.path,
                method: .post,
                headers: [.contentEncoding: value],
                body: TestPicture.blocks()
            ) { #expect($0.status == .ok) }
        }
    }

    @Test(
        "are refused in encodings that are not decoded, with those that are",
        arguments: ["br", "zstd", "gzip, gzip"]
    )
    func refused(value: String) async throws {
        try await TestServer().test { client in
            try await client.execute(
                uri: PredictRouteTests.path,
                method: .post,
                headers: [.contentEncoding: value],
                body: TestPicture.blocks()
            ) {
                #expect($0.status == .unsupportedMediaType)
                #expect($0.headers[.acceptEncoding] == "gzip, deflate")
                #expect($0.json.code == "unsupported_encoding")
                #expect($0.json.detail.string?.contains("‘\(value)’") == true)
            }
        }
    }

    @Test("are refused when they are not what the header says, or end early")
    func damaged() async throws {
        let picture = try TestPicture.blocks()
        let encoded = Deflated.bytes(picture)
        let half = try #require(encoded.getSlice(at: 0, length: encoded.readableBytes / 2))
        // The connection ends with each of these answers.
        for (body, words) in [(picture, "can't be decoded as gzip"), (half, "cut short")] {
            try await TestServer().test { client in
                try await client.execute(
                    uri: PredictRouteTests.path,
                    method: .post,
                    headers: [.contentEncoding: "gzip"],
                    body: body
                ) {
                    #expect($0.status == .badRequest)
                    #expect($0.json.code == "malformed_upload")
                    #expect($0.json.detail.string?.contains(words) == true, "\($0.text)")
                }
            }
        }
    }

    @Test("are held to the limits on what comes out, and are decoded no further")
    func bomb() async throws {
        // Zeros that take a thousandth of their size, and a form around them.
        let zeros = ByteBuffer(repeating: 0, count: 8 << 20)
        let bombs: [(HTTPFields, ByteBuffer)] = [
            ([:], Deflated.bytes(zeros)), (Form.headers, Deflated.bytes(Form().file("a.png", zeros).body)),
        ]
        for (headers, body) in bombs {
            let server = try await TestServer {
                $0.pictures.encodedBytes = 1 << 20
                $0.maxRequestBytes = 2 << 20
            }
            try await server.test { client in
                var headers = headers
                headers[.contentEncoding] = "gzip"
                try await client.execute(uri: PredictRouteTests.path, method: .post, headers: headers, body: body) {
                    #expect($0.status == .contentTooLarge)
                    #expect($0.json.code == "upload_too_large")
                }
            }
        }
        // The memory of all uploads counts what comes out, too.
        try await TestServer { $0.maxUploadMemory = 1 << 20 }.test { client in
            try await client.execute(
                uri: PredictRouteTests.path,
                method: .post,
                headers: [.contentEncoding: "gzip"],
                body: bombs[0].1
            ) { #expect($0.json.code == "upload_memory_full") }
        }
    }

    @Test("that give nothing are held to the limit on a request")
    func endless() async throws {
        // Empty stored blocks: five bytes each, which decode to none.
        let bytes = [UInt8](repeating: 0, count: 40_000 * 5).enumerated().map { index, _ -> UInt8 in
            [0, 0, 0, 0xFF, 0xFF][index % 5]
        }
        let request = Request(
            head: .init(
                method: .post,
                scheme: nil,
                authority: nil,
                path: "/",
                headerFields: [.contentEncoding: "deflate"]
            ),
            body: RequestBody(buffer: ByteBuffer(bytes: bytes))
        )
        func count(limit: Int) async throws -> Int {
            try await DecodedBody(of: request, encodedLimit: limit).reduce(0) { $0 + $1.readableBytes }
        }
        await #expect(throws: UploadError.bodyTooLarge(limit: 199_999)) { try await count(limit: 199_999) }
        await #expect(throws: ContentCodingError.cutShort(.deflate)) { try await count(limit: 200_000) }
    }

    @Test("that wrap a picture are refused with what they are, and what to send")
    func wrapped() async throws {
        let picture = try TestPicture.blocks()
        let base64 = Data(picture.readableBytesView).base64EncodedString()
        let samples: [(ByteBuffer, HTTPFields, String)] = [
            (ByteBuffer(string: "{\"image\": \"\(base64)\"}"), [.contentType: "application/json"], "JSON"),
            (ByteBuffer(string: base64), [:], "base64 text of a PNG picture"),
            (ByteBuffer(string: "data:image/png;base64,\(base64)"), [:], "data: URL"),
            (Deflated.bytes(picture), [:], "Content-Encoding: gzip"),
            (
                Form().part(
                    "Content-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\nContent-Transfer-Encoding: base64",
                    Array(base64.utf8)
                ).body, Form.headers, "base64 text of a PNG picture"
            ),
            (ByteBuffer(string: "\0\0\0\u{18}ftypmp42\0\0\0\0isommp42"), [:], "ffmpeg"),
            (ByteBuffer(string: "%PDF-1.4"), [:], "pdftoppm"),
        ]
        try await TestServer().test { client in
            for (body, headers, words) in samples {
                try await client.execute(uri: PredictRouteTests.path, method: .post, headers: headers, body: body) {
                    #expect($0.status == .unsupportedMediaType)
                    #expect($0.json.code == "not_a_picture")
                    #expect($0.json.detail.string?.contains(words) == true, "\($0.text)")
                }
            }
        }
    }
}
