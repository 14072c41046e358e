// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Testing

@testable import NereidInference

@Suite final class LibraryTests {
    #if os(macOS)
    private let fileName = "libonnxruntime.dylib"
    private let versionedNames = ["libonnxruntime.1.9.0.dylib", "libonnxruntime.1.32.0.dylib"]
    private let otherLibrary = "/usr/lib/libSystem.B.dylib"
    #else
    private let fileName = "libonnxruntime.so"
    private let versionedNames = ["libonnxruntime.so.1.9.0", "libonnxruntime.so.1.32.0"]
    private let otherLibrary = "libc.so.6"
    #endif

    /// A folder that belongs to one test.
    private let folder = FileManager.default.temporaryDirectory.resolvingSymlinksInPath()
        .appendingPathComponent("nereid-\(UUID().uuidString)").path

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// Makes empty files in the test's folder.
    private func make(_ files: [String]) throws {
        for file in files {
            let path = URL(fileURLWithPath: folder).appendingPathComponent(file)
            let parent = path.deletingLastPathComponent()
            try FileManager.default.createDirectory(at: parent, withIntermediateDirectories: true)
            try Data().write(to: path)
        }
    }

    private func locate(
        _ path: String? = nil,
        variable: String? = nil,
        executable: String = "/nowhere/nereid",
        workingDirectory: String = "/nowhere",
        systemFolders: [String] = []
    ) throws -> String {
        try ONNXRuntimeSearch(
            environment: variable.map { ["NEREID_ONNXRUNTIME": $0] } ?? [:],
            executable: executable,
            workingDirectory: workingDirectory,
            systemFolders: systemFolders
        ).locate(path)
    }

    @Test func takesTheGivenPathBeforeAllElse() throws {
        try make(["a/\(fileName)", "b/\(fileName)"])
        let file = folder + "/a/" + fileName
        #expect(try locate(file, variable: folder + "/b") == file)
        #expect(try locate(folder + "/a", variable: folder + "/b") == file)
        #expect(try locate(variable: folder + "/b") == "\(folder)/b/\(fileName)")
        #expect(throws: InferenceError.libraryNotFound(searched: [folder + "/c"])) {
            try locate(folder + "/c", variable: folder + "/b")
        }
    }

    @Test func findsTheLibraryOfAPythonPackage() throws {
        try make(["onnxruntime/capi/\(versionedNames[1])"])
        let file = folder + "/onnxruntime/capi/" + versionedNames[1]
        #expect(try locate(folder) == file)
        #expect(try locate(folder + "/onnxruntime") == file)
    }

    @Test func prefersTheNameWithoutAVersionThenTheNewest() throws {
        try make(versionedNames)
        #expect(try locate(folder) == "\(folder)/\(versionedNames[1])")
        try make(versionedNames + [fileName])
        #expect(try locate(folder) == "\(folder)/\(fileName)")
    }

    @Test func passesOverTheProvidersBesideTheLibrary() throws {
        try make(["libonnxruntime_providers_shared.so"])
        #expect(throws: InferenceError.libraryNotFound(searched: [folder])) { try locate(folder) }
    }

    @Test func findsNativeAboveTheExecutableBeforeTheWorkingDirectory() throws {
        let native = ".native/onnxruntime/lib/" + fileName
        try make([native, "other/" + native])
        let other = folder + "/other"
        #expect(
            try locate(executable: folder + "/.build/debug/nereid", workingDirectory: other) == "\(folder)/"
                + native
        )
        #expect(try locate(executable: folder + "/nereid") == "\(folder)/\(native)")
        #expect(try locate(workingDirectory: other) == "\(other)/\(native)")
    }

    @Test func looksAtTheSystemLast() throws {
        let native = ".native/onnxruntime/lib/" + fileName
        try make(["system/" + fileName, native])
        let system = [folder + "/system"]
        #expect(try locate(systemFolders: system) == "\(folder)/system/\(fileName)")
        #expect(try locate(workingDirectory: folder, systemFolders: system) == "\(folder)/\(native)")
    }

    @Test func saysWhereItLookedAndHowToGetOne() throws {
        let error = #expect(throws: InferenceError.self) { try locate(systemFolders: ["/no/such/lib"]) }
        let text = try #require(error).description
        for part in [
            "/nowhere/.native/onnxruntime/lib, ", "/no/such/lib", "scripts/setup", "pip install onnxruntime",
            "NEREID_ONNXRUNTIME",
        ] {
            #expect(text.contains(part))
        }
    }

    @Test func anEmptyVariableNamesNothing() throws {
        try make([fileName])
        #expect(try locate(variable: "", systemFolders: [folder]) == "\(folder)/\(fileName)")
    }

    @Test func refusesAFileThatIsNoLibrary() throws {
        try make([fileName])
        let error = #expect(throws: InferenceError.self) { try ONNXRuntimeEngine(library: folder) }
        guard case .libraryUnusable(let path, _) = error else {
            Issue.record("unexpected error: \(String(describing: error))")
            return
        }
        #expect(path == "\(folder)/\(fileName)")
        #expect("\(error!)".contains("point NEREID_ONNXRUNTIME at libonnxruntime or run scripts/setup"))
    }

    @Test func refusesAnotherLibrary() {
        let error = InferenceError.libraryUnusable(path: otherLibrary, reason: "it does not offer OrtGetApiBase")
        #expect(throws: error) { try ONNXRuntimeLibrary(path: otherLibrary) }
    }

    @Test func refusesALibraryThatIsTooOld() throws {
        let path = try ONNXRuntimeEngine.locate()
        let version = try ONNXRuntimeEngine().version
        let error = InferenceError.libraryTooOld(path: path, version: version, required: "1.1000")
        #expect(throws: error) { try ONNXRuntimeLibrary(path: path, requiredTable: 1000) }
        #expect("\(error)".contains("is too old: 1.1000 or newer is needed"))
    }
}
