// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore

/// Reads `multipart/form-data` (RFC 7578) from chunks as they come.
///
/// A value type that is fed bytes and gives events: the headers of a part, a piece of its content, its end. Content is
/// handed on as slices of the chunks it came in, so it is not copied here. Whatever the chunks' sizes, even one byte, the
/// events add up to the same parts.
///
/// Grammar: RFC 2046, section 5.1.1. Line breaks are CRLF; a lone LF is accepted nowhere.
struct MultipartParser {
    /// What a request may contain.
    struct Limits: Sendable, Equatable {
        /// Parts in one body; 64.
        var parts = 64
        /// Bytes of one part's headers; 8 KiB.
        var headerBytes = 8 << 10
    }

    enum Event: Equatable {
        /// A part begins.
        case part(PartHeaders)
        /// The next piece of the part's content.
        case content(ByteBuffer)
        /// The part is complete.
        case partEnd
    }

    private enum State {
        /// Before the first delimiter.
        case preamble
        /// Behind a delimiter: `--` ends the body, white space and a line break begin a part.
        case afterDelimiter
        case headers
        case content
        /// Behind the last delimiter, where everything is to be ignored.
        case epilogue
    }

    private let limits: Limits
    /// CRLF, two hyphens and the boundary: what ends a part.
    private let delimiter: [UInt8]
    private var state = State.preamble
    private var buffer = ByteBuffer()
    private var parts = 0

    /// Makes a parser for a boundary, which is 1 to 70 characters long.
    init(boundary: String, limits: Limits = .init()) {
        self.limits = limits
        delimiter = Array("\r\n--\(boundary)".utf8)
        // The first delimiter may stand at the very start, without the line break that the others begin with.
        buffer.writeString("\r\n")
    }

    /// Takes a chunk and gives what it completes.
    ///
    /// - Throws: ``MultipartError``.
    mutating func read(_ chunk: ByteBuffer) throws(MultipartError) -> [Event] {
        if buffer.readableBytes == 0 {
            buffer = chunk
        } else {
            var chunk = chunk
            buffer.writeBuffer(&chunk)
        }
        var events: [Event] = []
        while try step(&events) {}
        return events
    }

    /// The body has ended.
    ///
    /// - Throws: ``MultipartError/cutShort`` when the last delimiter has not come.
    func finish() throws(MultipartError) {
        guard state == .epilogue else { throw .cutShort }
    }

    /// Moves on by one state or one piece of content; `false` when more bytes are needed.
    private mutating func step(_ events: inout [Event]) throws(MultipartError) -> Bool {
        switch state {
        case .preamble:
            guard let offset = buffer.firstIndex(of: delimiter) else {
                keepPossibleDelimiter()
                return false
            }
            buffer.moveReaderIndex(forwardBy: offset + delimiter.count)
            state = .afterDelimiter
            return true
        case .afterDelimiter:
            return try stepAfterDelimiter()
        case .headers:
            guard let headers = try readHeaders() else { return false }
            parts += 1
            guard parts <= limits.parts else { throw .tooManyParts(limit: limits.parts) }
            events.append(.part(headers))
            state = .content
            return true
        case .content:
            if let offset = buffer.firstIndex(of: delimiter) {
                if offset > 0, let piece = buffer.readSlice(length: offset) { events.append(.content(piece)) }
                buffer.moveReaderIndex(forwardBy: delimiter.count)
                events.append(.partEnd)
                state = .afterDelimiter
                return true
            }
            // All but the bytes that a delimiter could begin with is surely content.
            let sure = buffer.readableBytes - possibleDelimiterLength
            if sure > 0, let piece = buffer.readSlice(length: sure) { events.append(.content(piece)) }
            return false
        case .epilogue:
            buffer.clear()
            return false
        }
    }

    private mutating func stepAfterDelimiter() throws(MultipartError) -> Bool {
        var look = buffer
        while let byte = look.getInteger(at: look.readerIndex, as: UInt8.self), byte == 0x20 || byte == 0x09 {
            look.moveReaderIndex(forwardBy: 1)
        }
        guard buffer.readableBytes - look.readableBytes <= 256 else { throw .malformed("a delimiter line is too long") }
        guard let pair = look.readBytes(length: 2) else { return false }
        if pair == Array("--".utf8) {
            state = .epilogue
        } else if pair == Array("\r\n".utf8) {
            state = .headers
        } else {
            throw .malformed("a delimiter is followed by neither a line break nor ‘--’")
        }
        buffer = look
        // A part may have no headers: their end is then the line break that ends the delimiter.
        if state == .headers { buffer.moveReaderIndex(to: buffer.readerIndex - 2) }
        return true
    }

    /// The headers up to the empty line, when they are all there. The buffer stands at the line break before the first one.
    private mutating func readHeaders() throws(MultipartError) -> PartHeaders? {
        guard let length = buffer.firstIndex(of: Array("\r\n\r\n".utf8)) else {
            // All but the last byte of the empty line may be there already.
            guard buffer.readableBytes <= limits.headerBytes + 3 else {
                throw .headersTooLong(limit: limits.headerBytes)
            }
            return nil
        }
        guard length <= limits.headerBytes else { throw .headersTooLong(limit: limits.headerBytes) }
        let text = buffer.getString(at: buffer.readerIndex, length: length) ?? ""
        buffer.moveReaderIndex(forwardBy: length + 4)
        return try PartHeaders(text)
    }

    /// How many bytes at the end of the buffer could be the beginning of a delimiter.
    private var possibleDelimiterLength: Int {
        buffer.withUnsafeReadableBytes { bytes in
            (1..<delimiter.count).reversed().first { length in
                length <= bytes.count && bytes.suffix(length).elementsEqual(delimiter.prefix(length))
            } ?? 0
        }
    }

    private mutating func keepPossibleDelimiter() {
        buffer.moveReaderIndex(forwardBy: buffer.readableBytes - possibleDelimiterLength)
    }
}

extension ByteBuffer {
    /// Where a pattern first stands, counted from the reader index.
    fileprivate func firstIndex(of pattern: [UInt8]) -> Int? {
        withUnsafeReadableBytes { bytes in
            guard bytes.count >= pattern.count else { return nil }
            let last = bytes.count - pattern.count
            var start = 0
            // A picture holds few carriage returns: leaping from one to the next is all the search there is.
            while start <= last {
                guard let leap = bytes[start...last].firstIndex(of: pattern[0]) else { return nil }
                if bytes[leap..<leap + pattern.count].elementsEqual(pattern) { return leap }
                start = leap + 1
            }
            return nil
        }
    }
}
