// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import TestSupport
import Testing

@testable import NereidServer

@Suite("Multipart parser")
struct MultipartParserTests {
    static let delimiter = "\r\n--\(Form.boundary)"

    /// Contents that look as if a delimiter were about to come.
    static let lookalikes: [String] = [
        "", "\r", "\n", "\r\n", "\r\n-", "\r\n--", "--", "-", "\r\r\n", "\r\n\r\n", String(delimiter.dropLast()),
        String(delimiter.dropFirst(2)), "\n--\(Form.boundary)--", "\r\n\r\n--\(Form.boundary.dropLast())\r\n--",
        "a\r\n--\(Form.boundary.dropLast())X\r\n", String(repeating: "\r\n--", count: 20), "--\(Form.boundary)--",
    ]

    @Test("gives the same parts whatever the size of the chunks")
    func chunks() throws {
        let form = Form(preamble: "This is a preamble.\r\n--not\r\n", epilogue: "\r\nepilogue --\(Form.boundary)")
            .field("model_type", "reef")
            .part("CONTENT-DISPOSITION:form-data;name=plain", Array("🐟".utf8))
            .file("sea urchin.png", ByteBuffer(bytes: [0, 13, 10, 45, 45, 255]))
        let expected = [
            MultipartPart(headers: .init(name: "model_type"), content: Array("reef".utf8), isComplete: true),
            MultipartPart(headers: .init(name: "plain"), content: Array("🐟".utf8), isComplete: true),
            MultipartPart(
                headers: .init(name: "file", filename: "sea urchin.png", contentType: "application/octet-stream"),
                content: [0, 13, 10, 45, 45, 255],
                isComplete: true
            ),
        ]
        for size in 1...form.bytes.count {
            let parts = MultipartParser.parts(of: form.bytes, inChunksOf: [size])
            #expect(parts == .success(expected), "chunks of \(size)")
        }
    }

    @Test("takes nothing for a delimiter that is none", arguments: lookalikes)
    func content(content: String) throws {
        let bytes = Form().field("a", content).field("b", content).bytes
        for size in [1, 2, 3, 7, bytes.count] {
            let parts = try MultipartParser.parts(of: bytes, inChunksOf: [size]).get()
            #expect(parts.map(\.content) == [Array(content.utf8), Array(content.utf8)], "chunks of \(size)")
        }
    }

    @Test("reads forms without parts, without a last line break, and with space behind delimiters")
    func oddities() throws {
        #expect(try Self.parts("--\(Form.boundary)--").isEmpty)
        #expect(try Self.parts(String(decoding: Form(epilogue: "").field("a", "b").bytes, as: UTF8.self)).count == 1)
        let spaced = "--\(Form.boundary) \t\r\nContent-Disposition: form-data; name=a\r\n\r\nb\(Self.delimiter)  --"
        #expect(try Self.parts(spaced).map(\.content) == [[98]])
    }

    static let refusals: [(body: String, error: MultipartError)] = [
        ("", .cutShort),
        ("no delimiter anywhere", .cutShort),
        ("--\(Form.boundary)", .cutShort),
        ("--\(Form.boundary)\r\n", .cutShort),
        ("--\(Form.boundary)\r\nContent-Disposition: form-data; name=a\r\n\r\ncontent", .cutShort),
        ("--\(Form.boundary)\r\nContent-Disposition: form-data; name=a\r\n\r\nb\r\n--\(Form.boundary)\r\n", .cutShort),
        ("--\(Form.boundary)-", .cutShort),
        ("--\(Form.boundary)X", .cutShort),
        ("--\(Form.boundary)XY", .malformed("a delimiter is followed by neither a line break nor ‘--’")),
        ("--\(Form.boundary)\n\n", .malformed("a delimiter is followed by neither a line break nor ‘--’")),
        (
            "--\(Form.boundary)" + String(repeating: " ", count: 257),
            .malformed("a delimiter line is too long")
        ),
        (
            "--\(Form.boundary)\r\n\r\ncontent",
            .malformed("a part has no ‘Content-Disposition: form-data; name=…’")
        ),
        (
            "--\(Form.boundary)\r\nContent-Disposition: attachment; name=a\r\n\r\n",
            .malformed("a part has no ‘Content-Disposition: form-data; name=…’")
        ),
        ("--\(Form.boundary)\r\nnonsense\r\n\r\n", .malformed("a part's header line has no colon")),
    ]

    @Test("refuses what is no form", arguments: refusals)
    func refused(body: String, error: MultipartError) {
        for size in [1, 5, max(body.utf8.count, 1)] {
            #expect(MultipartParser.parts(of: Array(body.utf8), inChunksOf: [size]) == .failure(error))
        }
    }

    @Test("holds forms to its limits, exactly, whatever the size of the chunks", arguments: [1, 3, 10_000])
    func limited(chunk: Int) throws {
        let form = Form().field("a", "1").field("b", "2").field("c", "3")
        func parse(_ form: Form, _ limits: MultipartParser.Limits) -> Result<Int, MultipartError> {
            MultipartParser.parts(of: form.bytes, inChunksOf: [chunk], limits: limits).map(\.count)
        }
        #expect(parse(form, .init(parts: 3)) == .success(3))
        #expect(parse(form, .init(parts: 2)) == .failure(.tooManyParts(limit: 2)))
        // The line break before the first header counts with it.
        let length = "\r\nContent-Disposition: form-data; name=\"a\"".utf8.count
        #expect(parse(form, .init(headerBytes: length)) == .success(3))
        #expect(parse(form, .init(headerBytes: length - 1)) == .failure(.headersTooLong(limit: length - 1)))
    }

    @Test("does not copy what it hands on")
    func slices() throws {
        var parser = MultipartParser(boundary: Form.boundary)
        let content = [UInt8](repeating: 7, count: 100_000)
        _ = try parser.read(ByteBuffer(string: "--\(Form.boundary)\r\nContent-Disposition: form-data; name=a\r\n\r\n"))
        let chunk = ByteBuffer(bytes: content)
        guard case .content(let piece)? = try parser.read(chunk).first else {
            Issue.record("there is no content")
            return
        }
        let addresses = [chunk, piece].map { $0.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) } }
        #expect(addresses[0] == addresses[1])
    }

    @Test("survives damaged forms, and reads them alike whatever the size of the chunks")
    func mutations() {
        let seed = Form(preamble: "x\r\n").field("a", "1").file("b.png", ByteBuffer(bytes: 0...40)).field("c", "").bytes
        let spice: [[UInt8]] = [
            [13], [10], [13, 10], [45, 45], Array("\r\n--\(Form.boundary)".utf8), Array("--\(Form.boundary)--".utf8),
            Array("\r\n\r\n".utf8), Array("; filename=\"".utf8), [0], [255, 254], [34], [92],
        ]
        var generator = SeededGenerator(seed: 17)
        var outcomes = (read: 0, refused: 0)
        for round in 0..<3000 {
            var bytes = seed
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                let end = min(place + Int.random(in: 0...8, using: &generator), bytes.count)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes.replaceSubrange(place..<end, with: spice.randomElement(using: &generator)!)
                case 1: bytes.removeSubrange(place..<end)
                default: bytes.append(contentsOf: bytes[place..<end])
                }
                if bytes.isEmpty { bytes = [0] }
            }
            let limits = MultipartParser.Limits(parts: 3, headerBytes: 100)
            let whole = MultipartParser.parts(of: bytes, inChunksOf: [bytes.count], limits: limits)
            let sizes = (0..<5).map { _ in Int.random(in: 1...40, using: &generator) }
            guard MultipartParser.parts(of: bytes, inChunksOf: sizes, limits: limits) == whole else {
                Issue.record("round \(round), chunks of \(sizes): \(String(decoding: bytes, as: UTF8.self))")
                return
            }
            if case .success = whole { outcomes.read += 1 } else { outcomes.refused += 1 }
        }
        // Both must have come up, or the damage is not of the right kind.
        #expect(outcomes.read > 100 && outcomes.refused > 100)
    }

    private static func parts(_ body: String) throws -> [MultipartPart] {
        try MultipartParser.parts(of: Array(body.utf8), inChunksOf: [body.utf8.count]).get()
    }
}
