// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation

extension ONNXRuntimeEngine {
    /// Finds the library, in this order: `path`; the environment variable `NEREID_ONNXRUNTIME`; `.native/`, where
    /// `scripts/setup` puts it, beside the program, in the folders above it, and in the working directory; the folders
    /// of `LD_LIBRARY_PATH` (`DYLD_LIBRARY_PATH` on macOS); the system's own.
    ///
    /// - Parameter path: The library or the folder that holds it; nothing else is tried then.
    /// - Returns: The path of the library.
    /// - Throws: ``InferenceError/libraryNotFound(searched:)``.
    public static func locate(library path: String? = nil) throws(InferenceError) -> String {
        try ONNXRuntimeSearch(
            environment: ProcessInfo.processInfo.environment,
            executable: Bundle.main.executablePath ?? CommandLine.arguments[0],
            workingDirectory: FileManager.default.currentDirectoryPath
        ).locate(path)
    }
}

/// Where ONNX Runtime may be.
struct ONNXRuntimeSearch {
    let environment: [String: String]
    let executable: String
    let workingDirectory: String
    var systemFolders = Self.systemFolders

    /// Finds the library.
    ///
    /// - Parameter path: The library or the folder that holds it; nothing else is tried then.
    func locate(_ path: String?) throws(InferenceError) -> String {
        let named = path ?? environment["NEREID_ONNXRUNTIME"].flatMap { $0.isEmpty ? nil : $0 }
        let places = named.map { [$0] } ?? nativeFolders + libraryPathFolders + systemFolders
        for place in places {
            if let library = Self.library(at: place) { return library }
        }
        throw .libraryNotFound(searched: places)
    }

    private var nativeFolders: [String] {
        var folders: [String] = []
        var folder = URL(fileURLWithPath: executable).resolvingSymlinksInPath().deletingLastPathComponent()
        while true {
            folders.append(folder.path)
            if folder.path == "/" { break }
            folder.deleteLastPathComponent()
        }
        if !folders.contains(workingDirectory) { folders.append(workingDirectory) }
        return folders.map { ($0 == "/" ? "" : $0) + "/.native/onnxruntime/lib" }
    }

    private var libraryPathFolders: [String] {
        environment[Self.libraryPathVariable, default: ""].split(separator: ":").map(String.init)
    }

    /// The library at a path, or in the folder at that path. Beside the usual `lib`, a folder may be that of the
    /// Python package.
    private static func library(at path: String) -> String? {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else { return nil }
        guard isFolder.boolValue else { return path }
        for folder in [path, path + "/lib", path + "/capi", path + "/onnxruntime/capi"] {
            let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
            let libraries = files.filter(isLibrary).sorted { $0.compare($1, options: .numeric) == .orderedAscending }
            // The name without a version is what the system's administrator chose; else the newest.
            if let library = libraries.first(where: { $0 == plainName }) ?? libraries.last {
                return folder + "/" + library
            }
        }
        return nil
    }

    #if os(macOS)
    private static let libraryPathVariable = "DYLD_LIBRARY_PATH"
    private static let systemFolders = ["/opt/homebrew/lib", "/usr/local/lib"]
    private static let plainName = "libonnxruntime.dylib"

    private static func isLibrary(_ file: String) -> Bool {
        file.hasPrefix("libonnxruntime.") && file.hasSuffix(".dylib")
    }
    #else
    private static let libraryPathVariable = "LD_LIBRARY_PATH"
    private static let plainName = "libonnxruntime.so"

    #if arch(arm64)
    private static let systemFolders = ["/usr/local/lib", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"]
    #else
    private static let systemFolders = ["/usr/local/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib"]
    #endif

    private static func isLibrary(_ file: String) -> Bool {
        file == plainName || file.hasPrefix(plainName + ".")
    }
    #endif
}
