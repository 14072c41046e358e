// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NIOCore
import NereidImaging
import NereidInference
import Testing

/// The folder of models, pictures and reference results that is shared between projects, where it is there.
enum SharedFolder {
    /// `NEREID_SHARED`, else the folder `shared` beside the repository; `nil` when there is none.
    static let url: URL? = {
        let named = ProcessInfo.processInfo.environment["NEREID_SHARED"].map { URL(fileURLWithPath: $0) }
        let beside = Fixtures.repository.deletingLastPathComponent().appendingPathComponent("shared")
        return [named, beside].compactMap(\.self).first { FileManager.default.fileExists(atPath: $0.path) }
    }()

    static var isThere: Bool { url != nil }

    static let absence: Comment = "the shared folder is not there; name it with NEREID_SHARED"

    static func photo(_ name: String, appliesOrientation: Bool = true) async throws -> Picture {
        let file = try #require(url).appendingPathComponent("images/photos/\(name)")
        let bytes = ByteBuffer(bytes: try Data(contentsOf: file))
        return try await Fixtures.imaging.decode(bytes, appliesOrientation: appliesOrientation)
    }

    static func model(_ name: String) throws -> GraphSource {
        GraphSource(name: name, content: .file(path: try #require(url).appendingPathComponent("models/\(name)").path))
    }

    static func path(_ name: String) throws -> String { try #require(url).appendingPathComponent(name).path }

    static func json<Value: Decodable>(_ type: Value.Type, _ path: String) throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(type, from: Data(contentsOf: try #require(url).appendingPathComponent(path)))
    }
}
