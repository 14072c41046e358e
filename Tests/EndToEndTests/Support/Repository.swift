// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Testing

/// Where things stand in the repository and beside it.
enum Repository {
    /// This file is Tests/EndToEndTests/Support/Repository.swift.
    static let root = (0..<4).reduce(URL(fileURLWithPath: #filePath)) { url, _ in url.deletingLastPathComponent() }

    /// A graph of Tests/Fixtures/make_fixtures.py, which says what each of them computes.
    static func fixture(_ name: String) -> String { path("Tests/Fixtures/\(name).onnx") }

    static func path(_ relative: String) -> String { root.appendingPathComponent(relative).path }

    /// The Python with the packages of `scripts/setup --tests`.
    static let python = path(".venv/bin/python")

    static let hasPython = FileManager.default.isExecutableFile(atPath: python)
    static let pythonIsMissing: Comment = "the Python packages are not there; run scripts/setup --tests"

    static let hasBrowser =
        program("chromium", "chromium-browser", "google-chrome") != nil && program("chromedriver") != nil

    /// The first of some programs that is installed.
    static func program(_ names: String...) -> String? {
        let folders = ProcessInfo.processInfo.environment["PATH", default: ""].split(separator: ":")
        return names.flatMap { name in folders.map { "\($0)/\(name)" } }
            .first(where: FileManager.default.isExecutableFile)
    }
}

/// Photographs and trained models that are not part of the project.
enum SharedFolder {
    /// `NEREID_SHARED`, else the folder `shared` beside the repository; nil when there is none.
    static let url: URL? = {
        let named = ProcessInfo.processInfo.environment["NEREID_SHARED"].map { URL(fileURLWithPath: $0) }
        let beside = Repository.root.deletingLastPathComponent().appendingPathComponent("shared")
        return [named, beside].compactMap(\.self).first { FileManager.default.fileExists(atPath: $0.path) }
    }()

    static let isThere = url != nil
    static let isMissing: Comment = "the shared folder is not there; name it with NEREID_SHARED"

    /// All files of a folder and the folders below it, in order.
    static func files(in folder: String) -> [URL] {
        guard let root = url?.appendingPathComponent(folder),
            let paths = try? FileManager.default.subpathsOfDirectory(atPath: root.path)
        else { return [] }
        return paths.sorted().map(root.appendingPathComponent).filter { !$0.hasDirectoryPath }
    }
}

/// A folder for one test.
enum TemporaryFolder {
    /// Makes an empty folder, and removes it with all it holds when the body is done.
    static func with<Value>(_ body: (URL) async throws -> Value) async throws -> Value {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("nereid-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        return try await body(folder)
    }
}
