// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NIOCore
import Testing

@testable import NereidImaging

/// Broken and hostile files end in a picture or in an error of this room, soon and without much memory.
@Suite("Shared malformed files", .serialized, .enabled(if: SharedFolder.isThere, SharedFolder.absence))
struct MalformedTests {
    @Test("do no harm")
    func harmless() throws {
        let files = SharedFolder.files(in: "images/malformed")
        #expect(files.count > 150)
        let memory = residentBytes()
        for path in files {
            let bytes = try SharedFolder.bytes(path)
            let start = ContinuousClock.now
            do {
                let picture = try Picture(decoding: bytes)
                #expect(picture.pixels.count == picture.width * picture.height * 3)
            } catch {
                #expect(error is ImagingError, "\(path): \(error)")
            }
            #expect(start.duration(to: .now) < .seconds(10), "\(path)")
        }
        #expect(residentBytes() - memory < 1 << 30)
    }

    /// The most memory that this process has had so far; 0 where the system does not tell it this way.
    private func residentBytes() -> Int {
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let peak = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        return (peak?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 1024
    }
}
