// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Testing

/// The folder of models, pictures and reference results that is shared between projects, where it is there.
enum SharedFolder {
    /// `NEREID_SHARED`, else the folder `shared` beside the repository; `nil` when there is none.
    static let url: URL? = {
        let named = ProcessInfo.processInfo.environment["NEREID_SHARED"].map { URL(fileURLWithPath: $0) }
        // This file is Tests/NereidModelsTests/Support/SharedFolder.swift of the repository.
        let repository = (0..<4).reduce(URL(fileURLWithPath: #filePath)) { url, _ in url.deletingLastPathComponent() }
        let beside = repository.deletingLastPathComponent().appendingPathComponent("shared")
        return [named, beside].compactMap(\.self).first { FileManager.default.fileExists(atPath: $0.path) }
    }()

    static var isThere: Bool { url != nil }

    static let absence: Comment = "the shared folder is not there; name it with NEREID_SHARED"

    static func path(_ name: String) throws -> String {
        try #require(url).appendingPathComponent(name).path
    }
}
