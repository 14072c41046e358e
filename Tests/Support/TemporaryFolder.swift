// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

package import Foundation

/// A folder for one test, which goes away with its last reference.
package final class TemporaryFolder: Sendable {
    package let url: URL

    package init() throws {
        url = FileManager.default.temporaryDirectory.appendingPathComponent("nereid-tests-\(UUID().uuidString)")
            .resolvingSymlinksInPath()
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(at: url)
    }

    package var path: String { url.path }

    package func path(_ name: String) -> String { url.appendingPathComponent(name).path }

    /// Writes a file, with the folders that lead to it.
    @discardableResult
    package func write(_ text: String = "graph", to name: String) throws -> String {
        let file = url.appendingPathComponent(name)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(),
            withIntermediateDirectories: true
        )
        try Data(text.utf8).write(to: file, options: .atomic)
        return file.path
    }

    /// Writes a file of these bytes.
    @discardableResult
    package func write(bytes: [UInt8], to name: String) throws -> String {
        try Data(bytes).write(to: url.appendingPathComponent(name), options: .atomic)
        return path(name)
    }

    /// Puts a copy of a file here under another name, in one step.
    package func put(_ source: String, as name: String) throws {
        try Data(contentsOf: URL(fileURLWithPath: source)).write(to: url.appendingPathComponent(name), options: .atomic)
    }

    package func remove(_ name: String) throws {
        try FileManager.default.removeItem(at: url.appendingPathComponent(name))
    }
}
