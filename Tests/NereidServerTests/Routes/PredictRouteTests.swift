// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import HTTPTypes
import HummingbirdTesting
import NIOCore
import NereidImaging
import Testing

@testable import NereidServer

@Suite("POST /v1/models/{model}/predict")
struct PredictRouteTests {
    static let path = "/v1/models/blocks/predict"
    static let red: JSON = [16, 32, 32, 48]
    static let green: JSON = [80, 48, 96, 64]

    @Test("answers a picture sent as it is, or in a form", arguments: ["", "/"])
    func onePicture(slash: String) async throws {
        try await TestServer().test { client in
            let picture = try TestPicture.blocks()
            let form = Form().file("reef.png", picture)
            let requests: [(HTTPFields, ByteBuffer)] = [
                ([:], picture), ([.contentType: "text/plain"], picture), (Form.headers, form.body),
            ]
            for (headers, body) in requests {
                try await client.execute(uri: Self.path + slash, method: .post, headers: headers, body: body) {
                    #expect($0.status == .ok)
                    #expect($0.headers[.contentType] == "application/json")
                    let json = $0.json
                    #expect(json.keys == ["detections", "id", "image", "model", "task", "timing"])
                    #expect(json.task == "detect")
                    #expect(json.model == "blocks")
                    #expect((json.image.width, json.image.height) == (160, 160))
                    #expect(json.image.keys == ["height", "width"])
                    #expect(json.timing.keys == ["decode_ms", "inference_ms", "postprocess_ms", "queue_ms"])
                    #expect(json.detections[0].keys == ["box", "class_id", "label", "score"])
                    #expect(json.detections.elements.map(\.label) == ["red", "green"])
                    #expect(json.detections.elements.map(\.class_id) == [0, 1])
                    #expect(json.detections.elements.map(\.box) == [Self.red, Self.green])
                    #expect(json.detections.elements.map(\.score) == [1, 1])
                    #expect(json.id.string == $0.headers[.requestID])
                }
            }
        }
    }

    @Test("gives every request an id of its own and says where the time went")
    func headers() async throws {
        try await TestServer().test { client in
            var ids: Set<String> = []
            for _ in 0..<3 {
                try await client.execute(uri: Self.path, method: .post, body: TestPicture.blocks()) {
                    ids.insert(try #require($0.headers[.requestID]))
                    let stages = $0.headers[.serverTiming]?.split(separator: ", ").map { $0.prefix { $0 != ";" } }
                    #expect(stages == ["queue", "decode", "inference", "postprocess"])
                }
            }
            #expect(ids.count == 3)
        }
    }

    @Test("honours parameters in the query and in the form")
    func parameters() async throws {
        try await TestServer().test { client in
            let picture = try TestPicture.blocks()
            func labels(_ query: String, _ form: Form) async throws -> [JSON] {
                try await client.execute(
                    uri: Self.path + query,
                    method: .post,
                    headers: Form.headers,
                    body: form.file("a.png", picture).body
                ) { $0.json.detections.elements.map(\.label) }
            }
            #expect(try await labels("?classes=green", Form()) == ["green"])
            #expect(try await labels("?classes=0,%20green&max_detections=1", Form()) == ["red"])
            #expect(try await labels("", Form().field("classes", "1")) == ["green"])
            #expect(try await labels("?classes=red", Form().field("classes", "1")) == ["red", "green"])
            #expect(try await labels("?classes=red&classes=green", Form()) == ["red", "green"])
            #expect(try await labels("", Form().field("classes", "blue").field("classes", "green")) == ["green"])
            #expect(try await labels("?classes=blue&classes=blue", Form()) == [])
            #expect(try await labels("?confidence=1", Form()) == [])
        }
    }

    @Test("finds a model by its alias and by a name with percent signs")
    func names() async throws {
        try await TestServer(["sea floor=blocks-v8"]).test { client in
            for name in ["sea%20floor", "sea%20floor-alias"] {
                try await client.execute(
                    uri: "/v1/models/\(name)/predict",
                    method: .post,
                    body: TestPicture.blocks()
                ) { #expect($0.json.model == "sea floor") }
            }
        }
    }

    @Test("answers several pictures at once, each with its own result")
    func severalPictures() async throws {
        try await TestServer().test { client in
            let form = try Form().file("a.png", TestPicture.blocks())
                .file("notes.txt", ByteBuffer(string: "not a picture"), name: "files")
                .file("b.png", TestPicture.blocks(width: 112, height: 96))
            try await client.execute(uri: Self.path, method: .post, headers: Form.headers, body: form.body) {
                #expect($0.status == .ok)
                let json = $0.json
                #expect(json.keys == ["id", "model", "results"])
                let results = json.results
                #expect(results.elements.map(\.file) == ["a.png", "notes.txt", "b.png"])
                #expect(results[0].keys == ["detections", "file", "image", "task", "timing"])
                #expect(results[1].keys == ["error", "file"])
                #expect((results[1].error.code, results[1].error.status) == ("not_a_picture", 415))
                #expect(results[2].image.width == 112)
                #expect(!results[2].detections.elements.isEmpty)
                #expect($0.headers[.serverTiming] == nil)
            }
        }
    }

    @Test("writes comma-separated values")
    func csv() async throws {
        try await TestServer().test { client in
            let one = Form().file("a,b.png", try TestPicture.blocks())
            let path = Self.path + "?format=csv"
            try await client.execute(uri: path, method: .post, headers: Form.headers, body: one.body) {
                #expect($0.headers[.contentType] == "text/csv; charset=utf-8")
                #expect(
                    $0.text == CSVFormatTests.headings
                        + "\"a,b.png\",red,0,1,16,32,32,48,,160,160,,blocks,\r\n"
                        + "\"a,b.png\",green,1,1,80,48,96,64,,160,160,,blocks,\r\n"
                )
            }
            let two = one.file("c.png", try TestPicture.blocks()).file("bad.png", ByteBuffer(string: "x"))
            try await client.execute(uri: path, method: .post, headers: Form.headers, body: two.body) {
                let lines = $0.text.split(separator: "\r\n").dropFirst()
                #expect(lines.map { $0.prefix(7) } == ["\"a,b.pn", "\"a,b.pn", "c.png,r", "c.png,g", "bad.png"])
                #expect(lines.last == "bad.png,,,,,,,,,,,,blocks,not_a_picture")
            }
            let empty = path + "&confidence=1"
            try await client.execute(uri: empty, method: .post, headers: Form.headers, body: one.body) {
                #expect($0.text == CSVFormatTests.headings + "\"a,b.png\",,,,,,,,,160,160,,blocks,\r\n")
            }
        }
    }

    @Test("answers an empty file in its place, with an error")
    func emptyFiles() async throws {
        try await TestServer().test { client in
            let picture = try TestPicture.blocks()
            func send(_ form: Form, _ check: @escaping @Sendable (TestResponse) throws -> Void) async throws {
                try await client.execute(
                    uri: Self.path,
                    method: .post,
                    headers: Form.headers,
                    body: form.body
                ) { try check($0) }
            }
            try await send(Form().file("a.png", picture).file("b.png", ByteBuffer()).file("c.png", picture)) {
                let results = $0.json.results
                #expect(results.elements.map(\.file) == ["a.png", "b.png", "c.png"])
                #expect(results.elements.map(\.error.code) == [.null, "not_a_picture", .null])
                #expect(results[1].error.detail.string?.contains("the file is empty") == true)
            }
            try await send(Form().file("a.png", picture).file("b.png", ByteBuffer())) {
                #expect($0.json.results.elements.map(\.file) == ["a.png", "b.png"])
            }
            let single = [Form().file("b.png", ByteBuffer()), Form().field("file", "")]
            for form in single {
                try await send(form) {
                    #expect($0.status == .unsupportedMediaType)
                    #expect($0.json.code == "not_a_picture")
                    #expect($0.json.detail.string?.contains("the file is empty") == true)
                }
            }
            // A browser's field that nothing was chosen for is no file.
            try await send(Form().file("", ByteBuffer()).file("a.png", picture).file("", ByteBuffer())) {
                #expect($0.json.keys == ["detections", "id", "image", "model", "task", "timing"])
            }
        }
    }

    @Test("names files as the form does, in whatever way it writes them")
    func fileNames() async throws {
        try await TestServer().test { client in
            let bytes = Array(try TestPicture.blocks().readableBytesView)
            func part(_ names: String) -> String { "Content-Disposition: form-data; name=\"files\"; \(names)" }
            let form = Form().part(part("filename*=UTF-8''Tauchg%C3%A4nge.png"), bytes)
                .part(part("filename=\"ascii.png\"; filename*=utf-8''%E6%B5%B7%E9%BC%A0.png"), bytes)
                .part(part("filename*=UTF-8''%FF; filename=\"ascii.png\""), [])
            try await client.execute(uri: Self.path, method: .post, headers: Form.headers, body: form.body) {
                #expect($0.json.results.elements.map(\.file) == ["Tauchgänge.png", "海鼠.png", "ascii.png"])
            }
            let unreadable = Form().part(part("filename*=UTF-8''%FF"), bytes)
            try await client.execute(uri: Self.path, method: .post, headers: Form.headers, body: unreadable.body) {
                #expect($0.status == .badRequest)
                #expect($0.json.code == "malformed_upload")
                #expect($0.json.detail.string?.contains("‘filename*’ can't be read") == true)
            }
        }
    }

    static let drawings = [("png", PictureFormat.png), ("jpeg", .jpeg), ("true", .png)]

    @Test("draws on one picture, as PNG and as JPEG", arguments: drawings)
    func annotate(form: String, format: PictureFormat) async throws {
        try await TestServer().test { client in
            let picture = try TestPicture.blocks()
            let path = Self.path + "?annotate=\(form)"
            try await client.execute(uri: path, method: .post, body: picture) {
                #expect($0.headers[.contentType] == format.mediaType)
                let drawn = try Picture(decoding: $0.body)
                #expect((drawn.format, drawn.size) == (format, PixelSize(width: 160, height: 160)))
                let plain = try Picture(decoding: picture)
                let difference = drawn.withPixels { drawn in
                    plain.withPixels { plain in (0..<plain.count).map { abs(Int(plain[$0]) - Int(drawn[$0])) }.max() }
                }
                #expect(try #require(difference) > 40)
            }
            let two = Form().file("a.png", picture).file("b.png", picture)
            try await client.execute(uri: path, method: .post, headers: Form.headers, body: two.body) {
                #expect($0.status == .badRequest)
                #expect($0.json.detail == "‘annotate’ answers one picture at a time, but 2 were sent")
            }
        }
    }
}
