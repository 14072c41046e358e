// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import HTTPTypes
import Hummingbird
import NIOCore
import NIOHTTP1

/// What a client has sent: pictures, and the form fields beside them.
struct Upload: Sendable {
    /// One picture as it came.
    struct File: Sendable {
        /// Its name on the client's disk, if the client told.
        let name: String?
        let bytes: ByteBuffer
    }

    var files: [File] = []
    var fields = ParameterValues()
    /// Held as long as the pictures are.
    let memory: UploadMemory.Share
}

/// What one upload may be.
struct UploadLimits: Sendable {
    /// Bytes of the whole body.
    var requestBytes: Int
    /// Bytes of one picture.
    var pictureBytes: Int
    /// Bytes of a zip of pictures, where such are taken; `nil`: what looks like one is a picture like any other.
    var archiveBytes: Int?
    /// A form field that is not a picture; 64 KiB.
    var fieldBytes = 64 << 10
    var multipart = MultipartParser.Limits()
}

extension Upload {
    /// Reads a request's body: a form, or the picture itself whatever its `Content-Type` says.
    ///
    /// - Throws: ``UploadError``, ``MultipartError``, ``ContentCodingError``; what the connection throws.
    init(
        reading request: Request,
        limits: UploadLimits,
        memory: UploadMemory
    ) async throws {
        self.init(memory: memory.share())
        let declared = request.headers[.contentLength].flatMap(Int.init)
        if let declared, declared > limits.requestBytes { throw UploadError.bodyTooLarge(limit: limits.requestBytes) }
        let contentType = request.headers[.contentType].map(HeaderValue.init)
        let body = try DecodedBody(of: request, encodedLimit: limits.requestBytes)
        do {
            try await read(body, contentType, declared: body.isEncoded ? nil : declared, limits: limits)
        } catch is HTTPParserError {
            throw UploadError.cutShort
        }
    }

    private mutating func read(
        _ body: DecodedBody,
        _ contentType: HeaderValue?,
        declared: Int?,
        limits: UploadLimits
    ) async throws {
        if contentType?.value.lowercased() == "multipart/form-data" {
            guard let boundary = contentType?.parameters["boundary"], (1...70).contains(boundary.utf8.count) else {
                throw MultipartError.noBoundary
            }
            try await readForm(body, boundary: boundary, limits: limits)
        } else {
            try await readPicture(body, declared: declared, limits: limits)
        }
    }

    private init(memory: UploadMemory.Share) {
        self.memory = memory
    }

    private mutating func readPicture(_ body: DecodedBody, declared: Int?, limits: UploadLimits) async throws {
        // What may be a zip shows with its first bytes.
        if let declared, declared > max(limits.pictureBytes, limits.archiveBytes ?? 0) {
            throw UploadError.pictureTooLarge(limit: limits.pictureBytes)
        }
        var picture = PictureBytes(expecting: declared, limits: limits)
        for try await chunk in body {
            guard picture.bytes.readableBytes + chunk.readableBytes <= limits.requestBytes else {
                throw UploadError.bodyTooLarge(limit: limits.requestBytes)
            }
            try memory.grow(by: chunk.readableBytes)
            try picture.append(chunk)
        }
        guard picture.bytes.readableBytes > 0 else { throw UploadError.empty }
        files = [File(name: nil, bytes: picture.bytes)]
    }

    private mutating func readForm(_ body: DecodedBody, boundary: String, limits: UploadLimits) async throws {
        var parser = MultipartParser(boundary: boundary, limits: limits.multipart)
        var form = FormCollector(limits: limits)
        var total = 0
        for try await chunk in body {
            total += chunk.readableBytes
            guard total <= limits.requestBytes else { throw UploadError.bodyTooLarge(limit: limits.requestBytes) }
            try memory.grow(by: chunk.readableBytes)
            for event in try parser.read(chunk) { try form.take(event) }
        }
        guard total > 0 else { throw UploadError.empty }
        try parser.finish()
        files = form.files
        fields = form.fields
    }
}

/// A picture's bytes as they gather: the one copy that an upload costs.
private struct PictureBytes {
    private(set) var bytes: ByteBuffer
    private let limits: UploadLimits

    init(expecting count: Int? = nil, limits: UploadLimits) {
        // A header is only a claim: it is believed up to a point, beyond which memory comes as the bytes do.
        bytes = ByteBuffer()
        bytes.reserveCapacity(min(count ?? 0, limits.pictureBytes, 4 << 20))
        self.limits = limits
    }

    mutating func append(_ chunk: ByteBuffer) throws(UploadError) {
        let length = bytes.readableBytes + chunk.readableBytes
        if length > limits.pictureBytes, length > (limits.archiveBytes ?? 0) || !isArchive(before: chunk) {
            throw .pictureTooLarge(limit: limits.pictureBytes)
        }
        bytes.writeImmutableBuffer(chunk)
    }

    private func isArchive(before chunk: ByteBuffer) -> Bool {
        ArchiveOutline.recognises(bytes.readableBytes > 0 ? bytes : chunk)
    }
}

/// Puts the events of a form together to files and fields.
private struct FormCollector {
    private enum Part {
        case file(name: String?, PictureBytes)
        case field(name: String, ByteBuffer)
    }

    private let limits: UploadLimits
    private var part: Part?
    private(set) var files: [Upload.File] = []
    private(set) var fields = ParameterValues()

    init(limits: UploadLimits) {
        self.limits = limits
    }

    mutating func take(_ event: MultipartParser.Event) throws(UploadError) {
        switch (event, part) {
        case (.part(let headers), _):
            // Clients that name the part otherwise still mean a picture when they give a file's name.
            let isFile = headers.filename != nil || headers.name == "file"
            part =
                isFile
                ? .file(name: headers.filename, PictureBytes(limits: limits))
                : .field(name: headers.name, ByteBuffer())
        case (.content(let piece), .file(let name, var bytes)):
            part = nil
            try bytes.append(piece)
            part = .file(name: name, bytes)
        case (.content(let piece), .field(let name, var text)):
            part = nil
            guard text.readableBytes + piece.readableBytes <= limits.fieldBytes else {
                throw .fieldTooLong(name: name, limit: limits.fieldBytes)
            }
            text.writeImmutableBuffer(piece)
            part = .field(name: name, text)
        case (.partEnd, .file(let name, let bytes)):
            // Browsers send a file field that nothing was chosen for as an empty part with an empty name (HTML Standard,
            // section 4.10.22.4). Every other empty file was meant to be sent: it is answered, with an error.
            if bytes.bytes.readableBytes > 0 || name != "" { files.append(.init(name: name, bytes: bytes.bytes)) }
            part = nil
        case (.partEnd, .field(let name, let text)):
            fields.add(String(buffer: text), to: name)
            part = nil
        case (_, nil):
            break
        }
    }
}
