// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NIOCore
import Testing

@testable import NereidImaging

/// The small pictures of Tests/Fixtures/transparent.json and orientation.json; `made` there says how they were made.
struct PillowFixture: Decodable, Sendable, CustomTestStringConvertible {
    let name: String
    /// The file, in base 64.
    let file: Data
    let width: Int?
    let height: Int?
    /// The pixels that Pillow gives, in base 64.
    let rgb: Data?
    /// The greatest difference of a channel.
    let tolerance: Int?
    /// How the picture is to be turned.
    let orientation: Int?

    var testDescription: String { name }
    var bytes: ByteBuffer { ByteBuffer(bytes: file) }

    private struct Document: Decodable {
        let pictures: [PillowFixture]
    }

    /// The pictures of a file; none when it can't be read, which a test notices.
    static func read(_ name: String) -> [PillowFixture] {
        let repository = (0..<4).reduce(URL(fileURLWithPath: #filePath)) { url, _ in url.deletingLastPathComponent() }
        let file = repository.appendingPathComponent("Tests/Fixtures/\(name).json")
        guard let data = try? Data(contentsOf: file) else { return [] }
        return (try? JSONDecoder().decode(Document.self, from: data).pictures) ?? []
    }
}
