// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Crypto

#if canImport(FoundationEssentials)
import FoundationEssentials
#endif
import Foundation

/// A folder of graphs that were made from checkpoints, so that the second start is as fast as with ONNX.
///
/// An entry is named by what it was made from. Beside each graph lies the SHA-256 of its bytes, and a graph that is not what
/// its sum says is not there: it is made anew, never trusted. Several processes may use one folder at a time, since entries
/// come into place whole, by renaming.
public struct GraphCache: Sendable {
    /// The folder; `nil`: nothing is kept.
    public let folder: String?
    /// The most bytes that are kept; the entries used longest ago go first.
    let capacityInBytes: Int

    /// Makes a cache.
    ///
    /// - Parameters:
    ///   - given: the folder; `off` for none; `nil` for that of `NEREID_CACHE`, else the user's own:
    ///     `$XDG_CACHE_HOME/nereid` or `~/.cache/nereid`, `~/Library/Caches/nereid` on macOS.
    ///   - environment: where the user's folders are told from; `nil` for this process's own.
    ///   - capacityInBytes: the most bytes that are kept; 4 GiB.
    public init(
        folder given: String? = nil,
        environment: [String: String]? = nil,
        capacityInBytes: Int = 4 << 30
    ) {
        self.capacityInBytes = capacityInBytes
        let environment = environment ?? ProcessInfo.processInfo.environment
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        if let given = given ?? value("NEREID_CACHE") {
            folder = given == "off" ? nil : given
            return
        }
        #if os(macOS)
        folder = value("HOME").map { $0 + "/Library/Caches/nereid" }
        #else
        folder = (value("XDG_CACHE_HOME") ?? value("HOME").map { $0 + "/.cache" }).map { $0 + "/nereid" }
        #endif
    }

    /// A cache that keeps nothing.
    public static let none = GraphCache(folder: "off")

    /// The path of a graph that is kept and whole; `nil` when there is none.
    ///
    /// - Parameter key: what it was made from, letters, digits and `-` only.
    func graph(for key: String) -> String? {
        guard let entry = entry(key),
            let sum = FileManager.default.contents(atPath: entry.sum),
            let found = try? Self.checksum(ofFileAt: entry.graph), Data(found.utf8) == sum
        else { return nil }
        // The time of the last use says what may go first.
        try? FileManager.default.setAttributes([.modificationDate: Date()], ofItemAtPath: entry.graph)
        return entry.graph
    }

    /// Keeps a graph.
    ///
    /// - Parameters:
    ///   - key: as in ``graph(for:)``.
    ///   - write: writes the graph to the path that it is given.
    /// - Returns: the path of the graph; `nil` when there is no folder, or it can't be written to, and nothing is kept.
    /// - Throws: what `write` throws.
    func keep(_ key: String, write: (_ path: String) throws -> Void) throws -> String? {
        guard let folder, let entry = entry(key) else { return nil }
        let files = FileManager.default
        // Only its owner may write there: who can write here decides what is loaded.
        let isThere: ()? = try? files.createDirectory(
            atPath: folder,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
        guard isThere != nil, files.isWritableFile(atPath: folder) else { return nil }
        try write(entry.graph)
        do {
            try Data(Self.checksum(ofFileAt: entry.graph).utf8).write(
                to: URL(fileURLWithPath: entry.sum),
                options: .atomic
            )
        } catch {
            try? files.removeItem(atPath: entry.graph)
            return nil
        }
        makeRoom(keeping: entry.graph)
        return entry.graph
    }

    private func entry(_ key: String) -> (graph: String, sum: String)? {
        folder.map { ("\($0)/\(key).onnx", "\($0)/\(key).sha256") }
    }

    /// Removes the graphs used longest ago while the folder holds more than it may.
    private func makeRoom(keeping newest: String) {
        guard let folder else { return }
        let files = FileManager.default
        let graphs = ((try? files.contentsOfDirectory(atPath: folder)) ?? [])
            .filter { $0.hasSuffix(".onnx") }
            .compactMap { name -> (path: String, size: Int, used: Date)? in
                let path = "\(folder)/\(name)"
                guard let attributes = try? files.attributesOfItem(atPath: path),
                    let size = attributes[.size] as? Int, let used = attributes[.modificationDate] as? Date
                else { return nil }
                return (path, size, used)
            }
            .sorted { $0.used < $1.used }
        var total = graphs.reduce(0) { $0 + $1.size }
        for graph in graphs where total > capacityInBytes && graph.path != newest {
            try? files.removeItem(atPath: graph.path)
            try? files.removeItem(atPath: String(graph.path.dropLast("onnx".count)) + "sha256")
            total -= graph.size
        }
    }

    /// The SHA-256 of a file, in hexadecimal digits. Reads the whole file: call it where blocking is allowed.
    ///
    /// - Throws: the file system's error when it can't be read.
    static func checksum(ofFileAt path: String) throws -> String {
        let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
        defer { try? file.close() }
        var hash = SHA256()
        while let piece = try file.read(upToCount: 1 << 20), !piece.isEmpty { hash.update(data: piece) }
        return hash.finalize().hexadecimal
    }
}
