// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NIOCore
import Testing

/// The folder of pictures and reference results that is shared between projects, where it is there.
enum SharedFolder {
    /// `NEREID_SHARED`, else the folder `shared` beside the repository; nil when there is none.
    static let url: URL? = {
        let named = ProcessInfo.processInfo.environment["NEREID_SHARED"].map { URL(fileURLWithPath: $0) }
        // This file is Tests/NereidImagingTests/Support/SharedFolder.swift of the repository.
        let repository = (0..<4).reduce(URL(fileURLWithPath: #filePath)) { url, _ in url.deletingLastPathComponent() }
        let beside = repository.deletingLastPathComponent().appendingPathComponent("shared")
        return [named, beside].compactMap(\.self).first { FileManager.default.fileExists(atPath: $0.path) }
    }()

    static var isThere: Bool { url != nil }

    static let absence: Comment = "the shared folder is not there; name it with NEREID_SHARED"

    static func bytes(_ path: String) throws -> ByteBuffer {
        let url = try #require(url).appendingPathComponent(path)
        return try ByteBuffer(bytes: Data(contentsOf: url))
    }

    /// The paths of all files in a folder, relative to the shared folder, in order.
    static func files(in folder: String) -> [String] {
        guard let root = url?.appendingPathComponent(folder),
            let files = FileManager.default.enumerator(at: root, includingPropertiesForKeys: [.isRegularFileKey])
        else { return [] }
        return files.compactMap { $0 as? URL }
            .filter { (try? $0.resourceValues(forKeys: [.isRegularFileKey]).isRegularFile) == true }
            .map { folder + $0.path.dropFirst(root.path.count) }
            .sorted()
    }

    static func json<T: Decodable>(_ type: T.Type, _ path: String) throws -> T {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let url = try #require(url).appendingPathComponent(path)
        return try decoder.decode(type, from: Data(contentsOf: url))
    }
}
