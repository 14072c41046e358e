// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation

/// A disk of a few megabytes, in memory, which is gone with this value.
package final class SmallDisk: Sendable {
    private let folder: TemporaryFolder
    package var path: String { folder.path }

    /// Why tests with a disk are skipped.
    package static let missing = "a tmpfs can't be mounted here; that takes Linux and root"
    package static let canMount = (try? SmallDisk(megabytes: 1)) != nil

    struct NotMounted: Error {}

    package init(megabytes: Int) throws {
        folder = try TemporaryFolder()
        guard try Self.run("mount", "-t", "tmpfs", "-o", "size=\(megabytes)m", "tmpfs", folder.path) else {
            throw NotMounted()
        }
    }

    deinit { _ = try? Self.run("umount", "-l", folder.path) }

    /// Takes all the room there is.
    package func fill() throws {
        let file = path + "/filler"
        if !FileManager.default.fileExists(atPath: file) { FileManager.default.createFile(atPath: file, contents: nil) }
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: file))
        defer { try? handle.close() }
        try handle.seekToEnd()
        for size in [1 << 20, 1 << 12] {
            let block = Data(repeating: 7, count: size)
            while (try? handle.write(contentsOf: block)) != nil {}
        }
    }

    /// Gives back what ``fill()`` took.
    package func empty() throws { try FileManager.default.removeItem(atPath: path + "/filler") }

    private static func run(_ program: String, _ arguments: String...) throws -> Bool {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [program] + arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        return process.terminationStatus == 0
    }
}
