// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Where models are to be found, as a user writes it: a file, a folder, or `NAME=PATH`.
public struct ModelLocation: Sendable, Hashable {
    /// The name to give the model; `nil`: the file's or folder's own.
    public let name: String?
    /// The file or folder.
    public let path: String

    /// Makes a location.
    public init(name: String? = nil, path: String) {
        self.name = name
        self.path = path
    }

    /// Reads `PATH` or `NAME=PATH`. A path that exists as it is written is taken as a path, even with an `=` in it.
    ///
    /// - Throws: ``ModelsError/noSuchPath(_:)``, ``ModelsError/badName(_:)``.
    public init(argument: String) throws(ModelsError) {
        let files = FileManager.default
        if let equals = argument.firstIndex(of: "="), !files.fileExists(atPath: argument) {
            let name = String(argument[..<equals])
            guard Self.isUsable(name: name) else { throw .badName(name) }
            self.init(name: name, path: String(argument[argument.index(after: equals)...]))
        } else {
            self.init(path: argument)
        }
        guard files.fileExists(atPath: path) else { throw .noSuchPath(path) }
    }

    static func isUsable(name: String) -> Bool {
        (1...128).contains(name.count) && !name.contains("/")
            && name.unicodeScalars.allSatisfy { !$0.properties.isWhitespace || $0 == " " }
            && name.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
    }
}

/// A model file that a scan has found, with the settings that go with it.
public struct FoundModel: Sendable, Hashable {
    /// What it is to be called.
    public let name: String
    /// The graph.
    public let path: String
    /// The settings beside it, if there are any.
    public let settingsPath: String?
    /// Changes whenever one of the two files does.
    let fingerprint: Fingerprint

    /// What tells one state of the two files from another without reading them.
    struct Fingerprint: Sendable, Hashable {
        struct File: Sendable, Hashable {
            let size: Int64
            let modified: Int64
            let inode: UInt64
        }

        let model: File
        let settings: File?
    }
}
