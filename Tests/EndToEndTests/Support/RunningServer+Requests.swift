// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import AsyncHTTPClient
import Foundation
import NIOCore
import NIOFoundationCompat
import Testing

/// What a server has answered.
struct Answer: Sendable {
    let status: Int
    /// By their names in small letters.
    let headers: [String: String]
    let body: ByteBuffer

    var text: String { String(buffer: body) }

    func json<Document: Decodable>(_ type: Document.Type = Document.self) throws -> Document {
        try JSONDecoder().decode(type, from: body)
    }

    /// The `code` of a problem, as the client may rely on it.
    var problemCode: String? {
        headers["content-type"] == "application/problem+json" ? (try? json(Problem.self))?.code : nil
    }
}

/// A part of a form.
struct FormPart: Sendable {
    var name: String
    var filename: String?
    var contentType: String?
    var content: ByteBuffer

    static func field(_ name: String, _ value: String) -> Self { Self(name: name, content: ByteBuffer(string: value)) }

    static func file(_ content: ByteBuffer, name: String = "file", filename: String = "picture.png") -> Self {
        Self(name: name, filename: filename, content: content)
    }
}

extension ByteBuffer {
    /// The boundary of ``init(form:)``.
    static let boundary = "a-boundary"

    /// A form in `multipart/form-data`.
    init(form parts: [FormPart]) {
        self.init()
        for part in parts {
            writeString("--\(Self.boundary)\r\nContent-Disposition: form-data; name=\"\(part.name)\"")
            if let filename = part.filename { writeString("; filename=\"\(filename)\"") }
            if let contentType = part.contentType { writeString("\r\nContent-Type: \(contentType)") }
            writeString("\r\n\r\n")
            writeImmutableBuffer(part.content)
            writeString("\r\n")
        }
        writeString("--\(Self.boundary)--\r\n")
    }
}

extension RunningServer {
    /// Sends a request, over a connection that is kept, and reads the answer.
    func send(
        _ method: String,
        _ path: String,
        body: HTTPClientRequest.Body? = nil,
        contentType: String? = nil,
        headers: [String: String] = [:]
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: url + path)
        request.method = .init(rawValue: method)
        request.body = body
        if let contentType { request.headers.add(name: "Content-Type", value: contentType) }
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        let response = try await client.execute(request, timeout: .seconds(60))
        let headers = response.headers.map { ($0.name.lowercased(), $0.value) }
        return Answer(
            status: Int(response.status.code),
            headers: Dictionary(headers) { "\($0), \($1)" },
            body: try await response.body.collect(upTo: 64 << 20)
        )
    }

    func get(_ path: String) async throws -> Answer { try await send("GET", path) }

    func post(
        _ path: String,
        _ bytes: ByteBuffer,
        contentType: String? = nil,
        headers: [String: String] = [:]
    ) async throws -> Answer {
        try await send("POST", path, body: .bytes(bytes), contentType: contentType, headers: headers)
    }

    func post(_ path: String, form: FormPart...) async throws -> Answer { try await post(path, form: form) }

    func post(_ path: String, form: [FormPart]) async throws -> Answer {
        try await post(
            path,
            ByteBuffer(form: form),
            contentType: "multipart/form-data; boundary=\(ByteBuffer.boundary)"
        )
    }

    /// Asks a model for its predictions, the native way.
    func predict(_ picture: ByteBuffer, model: String = "blocks-v8", query: String = "") async throws -> Answer {
        try await post(Self.path(of: model) + query, picture)
    }

    static func path(of model: String) -> String { "/v1/models/\(model)/predict" }
}

extension RunningServer {
    func becomesReady() async throws {
        try await eventually("the server to be ready") { try await (get("/health/ready").status == 200).orNil }
    }

    func model(_ name: String) async throws -> Model? {
        try await get("/v1/models").json(ModelList.self).models.first { $0.name == name }
    }

    /// A value in `/metrics`; 0 for a series that has not begun.
    ///
    /// - Parameter series: a name with its labels, as in `nereid_jobs_running{model="slow"}`.
    func metric(_ series: String) async throws -> Double {
        let lines = try await get("/metrics").text.split(separator: "\n")
        return lines.first { $0.hasPrefix(series + " ") }.flatMap { Double($0.dropFirst(series.count + 1)) } ?? 0
    }

    var residentBytes: Int { get async throws { Int(try await metric("process_resident_memory_bytes")) } }

    /// Pictures that wait for a model or are being worked on.
    func pending(_ model: String) async throws -> Int {
        let queue = try await self.model(model)?.queue
        return (queue?.depth ?? 0) + (queue?.running ?? 0)
    }

    /// Expects a picture to be answered as it should be: the proof that the server has survived.
    func expectCorrectAnswer(model: String = "blocks-v8", sourceLocation: SourceLocation = #_sourceLocation)
        async throws
    {
        let block = Block(column: 7, row: 1, colour: .green)
        let answer = try await predict(.blocks(block), model: model)
        #expect(answer.status == 200, sourceLocation: sourceLocation)
        #expect(try answer.json(Prediction.self).detections == [block.detection], sourceLocation: sourceLocation)
    }
}
