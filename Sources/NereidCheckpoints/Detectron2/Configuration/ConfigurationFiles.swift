// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation

/// Reads a configuration file and what it builds upon with `_BASE_`.
///
/// Only files in the folder of the first one, or below it, are ever opened. The configurations that come with Detectron2
/// are known by name and need no file: that is how a model that was fine-tuned from the model zoo names its base.
struct ConfigurationFiles {
    /// What the files say together, the defaults not included.
    private(set) var value = ConfigurationValue.table([:])
    private(set) var warnings: [String] = []

    /// The longest chain of bases.
    static let maximumBases = 8

    private let folder: URL
    private var count = 0

    /// - Throws: ``Detectron2Error``.
    init(path: String) throws(Detectron2Error) {
        let file = URL(fileURLWithPath: path).resolvingSymlinksInPath()
        // A link to a configuration elsewhere is the user's own; bases are looked for where the user put the link.
        folder = URL(fileURLWithPath: path).deletingLastPathComponent().resolvingSymlinksInPath().standardizedFileURL
        value = try read(file, called: path)
        guard value["MODEL"] != nil else {
            // LazyConfig, the other kind, names Python code to be run.
            let isLazy = value["model._target_"] != nil
            throw .notAConfiguration(
                file: path,
                reason: "it has no key MODEL" + (isLazy ? " (it is a LazyConfig)" : "")
            )
        }
    }

    private mutating func read(_ file: URL, called name: String) throws(Detectron2Error) -> ConfigurationValue {
        count += 1
        guard count <= Self.maximumBases else {
            throw .limitExceeded(file: name, what: "files that it builds upon", limit: Self.maximumBases)
        }
        let document = try ConfigurationDocument(try Self.text(of: file, called: name), file: name)
        warnings += document.warnings
        guard case .table(var entries) = document.root else { return document.root }
        let bases: [ConfigurationValue] =
            switch entries.removeValue(forKey: "_BASE_") {
            case .list(let several): several
            case .some(let single): [single]
            case nil: []
            }
        var lower = ConfigurationValue.table([:])
        for base in bases {
            guard case .text(let path) = base else {
                throw .badValue(file: name, key: "_BASE_", value: base.description, expected: "the name of a file")
            }
            lower = lower.overlaid(by: try self.base(path, beside: file, of: name))
        }
        return lower.overlaid(by: .table(entries))
    }

    private mutating func base(
        _ path: String,
        beside file: URL,
        of name: String
    ) throws(Detectron2Error) -> ConfigurationValue {
        let isLocal = !path.hasPrefix("/") && !path.hasPrefix("~") && !path.contains("://") && !path.contains("\0")
        if isLocal {
            let found = URL(fileURLWithPath: path, relativeTo: file.deletingLastPathComponent()).standardizedFileURL
                .resolvingSymlinksInPath()
            if isInside(found), FileManager.default.fileExists(atPath: found.path) {
                return try read(found, called: found.path)
            }
        }
        if let known = StandardConfigurations.configuration(named: path) { return known }
        let isOutside = !isLocal || path.split(separator: "/").contains("..")
        throw .baseUnavailable(
            file: name,
            base: path,
            reason: isOutside
                ? "which is outside of the model's folder and none that comes with Detectron2"
                : "which is not in the model's folder and none that comes with Detectron2"
        )
    }

    private func isInside(_ file: URL) -> Bool {
        let own = folder.pathComponents
        return file.pathComponents.count > own.count && Array(file.pathComponents.prefix(own.count)) == own
    }

    private static func text(of file: URL, called name: String) throws(Detectron2Error) -> String {
        // One byte more than is allowed tells a file that is too large, whatever size it claims.
        let limit = ConfigurationDocument.maximumByteCount
        guard let handle = try? FileHandle(forReadingFrom: file) else {
            throw .unreadable(file: name, reason: "it can't be opened")
        }
        defer { try? handle.close() }
        let data: Data
        do {
            // Nothing at all is what an empty file gives.
            data = try handle.read(upToCount: limit + 1) ?? Data()
        } catch {
            throw .unreadable(file: name, reason: "it can't be read")
        }
        guard data.count <= limit else { throw .limitExceeded(file: name, what: "bytes", limit: limit) }
        guard let text = EditedText(data)?.text else {
            throw .unreadable(file: name, reason: "it is not text in \(EditedText.encodings)")
        }
        return text
    }
}
