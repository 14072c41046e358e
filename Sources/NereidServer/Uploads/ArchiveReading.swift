// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import CZip
import NIOCore
import NereidImaging

/// Takes the pictures out of a zip, some at a time, so that no thread is held for long.
///
/// A value that knows how far it is. What a file's bytes are counts, not what the zip says of them: sizes are those that come
/// out, and kinds are told by the first bytes. Reading blocks its thread.
struct ArchiveReading: Sendable {
    private let bytes: ByteBuffer
    private let limits: ArchiveLimits
    private let deadline: ContinuousClock.Instant
    private let timeout: Duration
    /// The next file's place in the table of contents; `nil` at its end.
    private(set) var next: Int? = 0
    /// Files that are no pictures, hidden, or a system's own.
    private(set) var skipped = 0
    /// Pictures that may still come.
    private(set) var pictures: Int
    /// Bytes that may still come.
    private(set) var unpackedBytes: Int

    /// So many bytes are taken at one time, and the file that goes beyond.
    static let portion = 16 << 20
    /// As much of a file as tells whether it is a picture.
    private static let head = 512

    /// Looks at a zip from outside.
    ///
    /// - Parameters:
    ///   - pictures: the most that it may hold.
    ///   - unpackedBytes: the most that its pictures may be together.
    ///   - timeout: what the deadline comes from, for words.
    /// - Throws: ``ArchiveError``.
    init(
        _ bytes: ByteBuffer,
        limits: ArchiveLimits,
        pictures: Int,
        unpackedBytes: Int,
        deadline: ContinuousClock.Instant,
        timeout: Duration
    ) throws(ArchiveError) {
        try ArchiveOutline.check(bytes, limits)
        self.bytes = bytes
        self.limits = limits
        self.pictures = pictures
        self.unpackedBytes = unpackedBytes
        self.deadline = deadline
        self.timeout = timeout
    }

    /// Takes the next pictures.
    ///
    /// - Parameters:
    ///   - memory: grows by what is unpacked.
    ///   - limit: when the work must stop.
    /// - Throws: ``ArchiveError``; ``UploadError/memoryFull(limit:)``; what the limit throws.
    mutating func takeSome(memory: UploadMemory.Share, limit: WorkLimit = .unlimited) throws -> [Upload.File] {
        guard let first = next else { return [] }
        var taken: [Upload.File] = []
        var index = first
        try bytes.withUnsafeReadableBytes { raw in
            let archive = try Archive(raw)
            let count = archive.count
            guard count <= limits.files else { throw ArchiveError.tooManyFiles(limit: limits.files) }
            let end = unpackedBytes - Self.portion
            while index < count, unpackedBytes > end {
                guard ContinuousClock.now < deadline else { throw ArchiveError.tooSlow(limit: timeout) }
                if let picture = try take(index, of: archive, memory, limit) { taken.append(picture) }
                index += 1
            }
            next = index < count ? index : nil
        }
        return taken
    }

    /// The file at a place, if it is a picture, or an empty file that is named like one.
    private mutating func take(
        _ index: Int,
        of archive: borrowing Archive,
        _ memory: UploadMemory.Share,
        _ limit: WorkLimit
    ) throws -> Upload.File? {
        try limit.check()
        let name: String
        switch ArchiveFileName(archive.name(at: index)) {
        case .folder: return nil
        case .system:
            skipped += 1
            return nil
        case .file(let path): name = path
        }
        let file = try archive.open(index, name: name)
        var content = ByteBuffer()
        _ = try file.read(Self.head, into: &content)
        // What has no bytes tells nothing by them: there, the name says whether a picture was meant.
        let isPicture =
            content.readableBytes > 0 ? PictureFormat.recognise(content) != nil : PictureFileName.isPicture(name)
        guard isPicture else {
            skipped += 1
            return nil
        }
        guard pictures > 0 else { throw ArchiveError.tooManyPictures(limit: limits.pictures) }
        pictures -= 1
        try account(for: content.readableBytes, total: content.readableBytes, of: name, memory)
        // What the zip says of the size is only a claim: memory comes as the bytes do, in growing steps.
        while true {
            try limit.check()
            let length = try file.read(max(64 << 10, min(content.readableBytes, 4 << 20)), into: &content)
            if length == 0 { break }
            try account(for: length, total: content.readableBytes, of: name, memory)
        }
        return Upload.File(name: name, bytes: content)
    }

    private mutating func account(
        for length: Int,
        total: Int,
        of name: String,
        _ memory: UploadMemory.Share
    ) throws {
        guard total <= limits.pictureBytes else {
            throw ArchiveError.pictureTooLarge(file: name, limit: limits.pictureBytes)
        }
        guard length <= unpackedBytes else { throw ArchiveError.tooLarge(limit: limits.unpackedBytes) }
        unpackedBytes -= length
        try memory.grow(by: length)
    }
}

/// A zip that libzip has open, in memory that outlives it.
private struct Archive: ~Copyable {
    private let pointer: OpaquePointer

    init(_ bytes: UnsafeRawBufferPointer) throws(ArchiveError) {
        var error = zip_error_t()
        zip_error_init(&error)
        defer { zip_error_fini(&error) }
        guard let source = zip_source_buffer_create(bytes.baseAddress, UInt64(bytes.count), 0, &error) else {
            throw .damaged(file: nil, reason: String(cString: zip_error_strerror(&error)))
        }
        guard let pointer = zip_open_from_source(source, ZIP_RDONLY, &error) else {
            zip_source_free(source)
            throw .damaged(file: nil, reason: String(cString: zip_error_strerror(&error)))
        }
        self.pointer = pointer
    }

    deinit { zip_discard(pointer) }

    var count: Int { Int(max(zip_get_num_entries(pointer, 0), 0)) }

    func name(at index: Int) -> String {
        zip_get_name(pointer, UInt64(index), zip_flags_t(ZIP_FL_ENC_GUESS)).map(String.init(cString:)) ?? ""
    }

    func open(_ index: Int, name: String) throws(ArchiveError) -> ArchivedFile {
        guard let file = zip_fopen_index(pointer, UInt64(index), 0) else {
            let error = zip_get_error(pointer)
            switch zip_error_code_zip(error) {
            case ZIP_ER_NOPASSWD, ZIP_ER_WRONGPASSWD, ZIP_ER_ENCRNOTSUPP: throw .encrypted(file: name)
            case ZIP_ER_COMPNOTSUPP: throw .unknownCompression(file: name)
            default: throw .damaged(file: name, reason: String(cString: zip_error_strerror(error)))
            }
        }
        return ArchivedFile(pointer: file, name: name)
    }
}

/// A file in a zip as it is unpacked.
private struct ArchivedFile: ~Copyable {
    let pointer: OpaquePointer
    let name: String

    init(pointer: OpaquePointer, name: String) {
        self.pointer = pointer
        self.name = name
    }

    deinit { zip_fclose(pointer) }

    /// Adds up to so many bytes to a buffer; at the end, none. The zip's checksum is compared there.
    func read(_ count: Int, into buffer: inout ByteBuffer) throws(ArchiveError) -> Int {
        var length: Int64 = 0
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { room in
            length = zip_fread(pointer, room.baseAddress, UInt64(count))
            return Int(max(length, 0))
        }
        guard length >= 0 else {
            throw .damaged(file: name, reason: String(cString: zip_error_strerror(zip_file_get_error(pointer))))
        }
        return Int(length)
    }
}
