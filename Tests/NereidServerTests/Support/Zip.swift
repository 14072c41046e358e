// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import CZip
import Foundation
import NIOCore
import TestSupport

/// A zip, made by libzip.
struct Zip {
    private struct Entry {
        let name: String
        let content: [UInt8]
        let method: Int32
        let isEncrypted: Bool
    }

    private var entries: [Entry] = []

    /// Adds a file. A name that ends in a slash is a folder.
    func file(_ name: String, _ content: [UInt8], isCompressed: Bool = true, isEncrypted: Bool = false) -> Zip {
        var zip = self
        let method = isCompressed ? ZIP_CM_DEFLATE : ZIP_CM_STORE
        zip.entries.append(Entry(name: name, content: content, method: method, isEncrypted: isEncrypted))
        return zip
    }

    func file(_ name: String, _ content: ByteBuffer) -> Zip { file(name, Array(content.readableBytesView)) }

    func file(_ name: String, _ content: String) -> Zip { file(name, Array(content.utf8)) }

    struct Failure: Error {}

    /// The zip's bytes.
    var bytes: ByteBuffer {
        get throws {
            let folder = try TemporaryFolder()
            let path = folder.path("pictures.zip")
            guard let archive = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, nil) else { throw Failure() }
            // libzip reads what is added when it writes the file.
            var kept: [UnsafeMutableRawPointer] = []
            defer { for pointer in kept { pointer.deallocate() } }
            for entry in entries {
                if entry.name.hasSuffix("/") {
                    guard zip_dir_add(archive, entry.name, 0) >= 0 else { throw Failure() }
                    continue
                }
                let copy = UnsafeMutableRawPointer.allocate(byteCount: max(entry.content.count, 1), alignment: 1)
                kept.append(copy)
                entry.content.withUnsafeBytes {
                    if !$0.isEmpty { copy.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
                }
                let source = zip_source_buffer(archive, copy, UInt64(entry.content.count), 0)
                let index = zip_file_add(archive, entry.name, source, zip_flags_t(ZIP_FL_ENC_UTF_8))
                guard index >= 0 else { throw Failure() }
                zip_set_file_compression(archive, UInt64(index), entry.method, 0)
                if entry.isEncrypted {
                    zip_file_set_encryption(archive, UInt64(index), UInt16(ZIP_EM_AES_256), "secret")
                }
            }
            // libzip leaves no file at all where there is nothing in it.
            guard zip_close(archive) == 0 else { throw Failure() }
            guard FileManager.default.fileExists(atPath: path) else { return Self.empty }
            return ByteBuffer(bytes: try Data(contentsOf: URL(fileURLWithPath: path)))
        }
    }

    /// A zip without files: its end alone.
    static let empty = ByteBuffer(bytes: [0x50, 0x4B, 0x05, 0x06] + [UInt8](repeating: 0, count: 18))
}

extension ByteBuffer {
    /// The same bytes with a number written over some of them, counted from where a signature stands for the last time.
    func patched<Number: FixedWidthInteger>(_ number: Number, at offset: Int, fromLast signature: UInt32) -> ByteBuffer
    {
        var bytes = self
        let places = (0...readableBytes - 4).filter {
            getInteger(at: $0, endianness: .little, as: UInt32.self) == signature
        }
        bytes.setInteger(number, at: places.last! + offset, endianness: .little)
        return bytes
    }

    static let endRecord: UInt32 = 0x0605_4B50
    static let directoryRecord: UInt32 = 0x0201_4B50
    static let fileRecord: UInt32 = 0x0403_4B50
}
