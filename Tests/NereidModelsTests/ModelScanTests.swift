// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import TestSupport
import Testing

@testable import NereidModels

@Suite("Model scan")
struct ModelScanTests {
    /// What a look finds: name, path below the folder, settings below the folder.
    static func found(_ folder: TemporaryFolder, _ locations: [ModelLocation]? = nil) -> [[String?]] {
        ModelScan(locations ?? [ModelLocation(path: folder.path)]).models.map { model in
            [model.name, model.path, model.settingsPath].map { $0?.replacing(folder.path + "/", with: "") }
        }
    }

    @Test("finds the graphs of a folder in the order of their names, with the settings beside them")
    func folder() throws {
        let folder = try TemporaryFolder()
        for name in ["b.onnx", "a.ONNX", "c.onnx", "b.yaml", "c.yml", "notes.txt", "d.yaml", "weights.pt", "state.bin"]
        {
            try folder.write(to: name)
        }
        #expect(
            Self.found(folder) == [
                ["a", "a.ONNX", nil], ["b", "b.onnx", "b.yaml"], ["c", "c.onnx", "c.yml"],
                ["weights", "weights.pt", nil],
            ]
        )
    }

    @Test("takes a folder within for one model when it says so")
    func modelFolders() throws {
        let folder = try TemporaryFolder()
        for name in [
            "described/weights.onnx", "described/model.yaml", "plain/model.onnx", "both/best.onnx", "both/best.yaml",
            "both/model.yml", "undescribed/weights.onnx", "two/model.onnx", "two/other.onnx", "empty/model.yaml",
        ] { try folder.write(to: name) }
        #expect(
            Self.found(folder) == [
                ["both", "both/best.onnx", "both/best.yaml"],
                ["described", "described/weights.onnx", "described/model.yaml"],
                ["plain", "plain/model.onnx", nil],
            ]
        )
    }

    @Test("takes a model folder that is given itself, under its own name or the one given")
    func givenFolder() throws {
        let folder = try TemporaryFolder()
        try folder.write(to: "benthic/weights.onnx")
        try folder.write(to: "benthic/model.yaml")
        let path = folder.path("benthic")
        let found = ["benthic/weights.onnx", "benthic/model.yaml"]
        #expect(Self.found(folder, [ModelLocation(path: path)]) == [["benthic"] + found])
        #expect(Self.found(folder, [ModelLocation(path: path + "/")]) == [["benthic"] + found])
        #expect(Self.found(folder, [ModelLocation(name: "reef", path: path)]) == [["reef"] + found])
    }

    @Test("takes files in the order in which they are given")
    func givenFiles() throws {
        let folder = try TemporaryFolder()
        let paths = try ["z.onnx", "a.onnx"].map { try folder.write(to: $0) }
        let locations = [ModelLocation(path: paths[0]), ModelLocation(name: "first", path: paths[1])]
        #expect(Self.found(folder, locations) == [["z", "z.onnx", nil], ["first", "a.onnx", nil]])
    }

    @Test("looks past hidden files, folders called like graphs, and what is not there")
    func ignored() throws {
        let folder = try TemporaryFolder()
        for name in [".hidden.onnx", ".cache/model.onnx", "odd.onnx/readme.txt"] { try folder.write(to: name) }
        #expect(Self.found(folder) == [])
        #expect(Self.found(folder, [ModelLocation(path: folder.path("gone.onnx"))]) == [])
        #expect(Self.found(folder, [ModelLocation(path: folder.path("gone"))]) == [])
    }

    @Test("follows links to files and passes over broken ones")
    func links() throws {
        let (folder, elsewhere) = (try TemporaryFolder(), try TemporaryFolder())
        let target = try elsewhere.write(to: "target.onnx")
        for (link, target) in [("linked.onnx", target), ("broken.onnx", elsewhere.path("gone.onnx"))] {
            try FileManager.default.createSymbolicLink(atPath: folder.path(link), withDestinationPath: target)
        }
        #expect(Self.found(folder) == [["linked", "linked.onnx", nil]])
    }

    @Test("gives a name to the first that asks for it and tells of the others")
    func conflicts() throws {
        let folder = try TemporaryFolder()
        let flat = try folder.write(to: "reef.onnx")
        let nested = try folder.write(to: "more/reef/model.onnx")
        let scan = ModelScan([
            ModelLocation(path: flat), ModelLocation(path: folder.path("more")), ModelLocation(path: flat),
        ])
        #expect(scan.models.map(\.path) == [flat])
        #expect(scan.conflicts.map(\.error) == [.nameTaken(name: "reef", path: nested, by: flat)])
    }

    @Test("tells a changed file, and changed settings, from the same ones")
    func fingerprints() throws {
        let folder = try TemporaryFolder()
        func look() -> Set<FoundModel> { Set(ModelScan([ModelLocation(path: folder.path)]).models) }
        try folder.write("one", to: "a.onnx")
        let first = look()
        #expect(look() == first)
        // As long as before, and in one step, as careful tools write: only time and file number tell.
        try folder.write("two", to: "a.onnx")
        let second = look()
        #expect(second != first)
        try folder.write("confidence: 0.5", to: "a.yaml")
        let third = look()
        #expect(third != second)
        try folder.write("confidence: 0.6", to: "a.yaml")
        #expect(look() != third)
    }

    /// Writes over a file in place and sets its time back, as `rsync --inplace --times` does.
    private func rewrite(_ path: String, _ text: String) throws {
        func state() -> stat {
            var state = stat()
            stat(path, &state)
            return state
        }
        let before = state()
        var times = [before.modified, before.modified]
        let handle = try #require(FileHandle(forWritingAtPath: path))
        defer { try? handle.close() }
        // The system's clock for files goes in steps of some milliseconds: until the next one has come, nothing can tell.
        repeat {
            try handle.seek(toOffset: 0)
            try handle.write(contentsOf: Data(text.utf8))
            utimensat(AT_FDCWD, path, &times, 0)
        } while state().changed == before.changed
        let after = state()
        #expect(after.st_size == before.st_size)
        #expect(after.st_ino == before.st_ino)
        #expect(after.modified == before.modified)
    }

    @Test("notices that a file was written over in place, as long as before, with its time set back")
    func rewritten() throws {
        let folder = try TemporaryFolder()
        for name in ["a.onnx", "a.yaml", "a.txt", "a.onnx.data"] { try folder.write("labels: a.txt", to: name) }
        func look() -> [FoundModel] { ModelScan([ModelLocation(path: folder.path)]).models }
        for name in ["a.onnx", "a.yaml", "a.txt", "a.onnx.data"] {
            let before = look()
            #expect(look() == before)
            // The settings are to name the same labels afterwards.
            try rewrite(folder.path(name), name == "a.yaml" ? "labels: a.txt" : "other content")
            #expect(look() != before, "\(name)")
        }
    }

    @Test("watches the label file that the settings name, wherever it is")
    func labels() throws {
        let (folder, elsewhere) = (try TemporaryFolder(), try TemporaryFolder())
        try folder.write(to: "a.onnx")
        try folder.write("labels: \(elsewhere.path("names.txt"))\n", to: "a.yaml")
        var labels = LabelFiles()
        func look() -> [FoundModel] { ModelScan([ModelLocation(path: folder.path)], labels: &labels).models }
        let without = look()
        try elsewhere.write("one", to: "names.txt")
        let first = look()
        #expect(first != without)
        try elsewhere.write("two", to: "names.txt")
        let second = look()
        #expect(second != first)
        // Labels in the settings themselves: the file is nothing to the model any more.
        try folder.write("labels: [one]\n", to: "a.yaml")
        let own = look()
        try elsewhere.write("three", to: "names.txt")
        #expect(look() == own)
    }

    @Test("notices a label file of settings that were broken before")
    func labelsOfMendedSettings() throws {
        let folder = try TemporaryFolder()
        try folder.write(to: "a.onnx")
        try folder.write("labels: a.txt\nconfidnce: 1", to: "a.yaml")
        var labels = LabelFiles()
        func look() -> [FoundModel] { ModelScan([ModelLocation(path: folder.path)], labels: &labels).models }
        _ = look()
        try folder.write("labels: a.txt", to: "a.yaml")
        let mended = look()
        try folder.write("one", to: "a.txt")
        #expect(look() != mended)
    }

    static let unprintable = [
        "new\nline", "red\u{1B}[31m", "tab\t", "reversed\u{202E}xnno", "bell\u{7}", "mark\u{200F}", "c1\u{9B}",
        "separator\u{2028}",
    ]

    @Test("refuses files whose names can't be shown, in a folder, as a folder and by path", arguments: unprintable)
    func badNames(name: String) throws {
        let folder = try TemporaryFolder()
        let file = try folder.write(to: "models/\(name).onnx")
        let nested = try folder.write(to: "nested/\(name)/model.onnx")
        for location in [
            ModelLocation(path: folder.path("models")), ModelLocation(path: folder.path("nested")),
            ModelLocation(path: file), ModelLocation(path: nested.replacing("/model.onnx", with: "")),
            ModelLocation(name: "good", path: file),
        ] {
            let found = ModelScan([location]).models
            #expect(found.count == 1)
            #expect(found[0].name == (location.name ?? name).printable())
            let refusal = try #require(found[0].refusal)
            #expect(refusal.isPrintable)
            #expect(refusal.contains("‘\(name.printable())") && refusal.contains("Rename it"))
            #expect(throws: ModelsError.self) { try ModelLocation.onlyModel(at: location) }
        }
    }

    #if os(Linux)
    @Test("refuses files whose names are not UTF-8 text")
    func foreignName() throws {
        let folder = try TemporaryFolder()
        try folder.write(to: "good\u{FFFD}.onnx")
        // “latéin” in ISO 8859-1.
        let bytes = Array("\(folder.path)/lat".utf8) + [0xE9] + Array("in.onnx".utf8) + [0]
        let file = bytes.map { CChar(bitPattern: $0) }.withUnsafeBufferPointer { creat($0.baseAddress!, 0o600) }
        try #require(file >= 0)
        close(file)
        let found = ModelScan([ModelLocation(path: folder.path)]).models
        #expect(found.map(\.name) == ["good\u{FFFD}", "lat\u{FFFD}in"])
        #expect(found.map(\.refusal) == [nil, "its name is not UTF-8 text. Rename it"])
    }
    #endif

    @Test("refuses file names that are too long for a request, unless another name is given")
    func longNames() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write(to: "\(String(repeating: "x", count: 129)).onnx")
        #expect(ModelScan([ModelLocation(path: file)]).models[0].refusal?.contains("NAME=PATH") == true)
        #expect(ModelScan([ModelLocation(name: "short", path: file)]).models[0].refusal == nil)
    }

    @Test("knows which models the operator named, whether they are there or not")
    func named() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write(to: "reef.onnx")
        try folder.write(to: "benthic/model.onnx")
        try folder.write(to: "many/a.onnx")
        try folder.write(to: "many/b.onnx")
        func named(_ locations: ModelLocation...) -> [String] { ModelScan(locations).named.map(\.name) }
        #expect(named(ModelLocation(path: file), ModelLocation(name: "deep", path: file)) == ["reef", "deep"])
        #expect(named(ModelLocation(path: folder.path("gone.onnx"))) == ["gone"])
        #expect(named(ModelLocation(path: folder.path("benthic"))) == ["benthic"])
        #expect(named(ModelLocation(name: "deep", path: folder.path("benthic"))) == ["deep"])
        #expect(named(.bundled) == ["demo"])
        // A folder of models names none of them, and the name before it goes to none.
        #expect(named(ModelLocation(path: folder.path("many"))) == [])
        #expect(named(ModelLocation(name: "deep", path: folder.path("many"))) == [])
        #expect(named(ModelLocation(path: folder.path)) == [])
        // The one model that was to have the name is gone.
        try folder.remove("benthic/model.onnx")
        #expect(named(ModelLocation(name: "deep", path: folder.path("benthic"))) == ["deep"])
        #expect(ModelLocation.names(at: [ModelLocation(path: folder.path("many"))]) == ["a", "b"])
    }
}

extension stat {
    fileprivate var modified: timespec {
        #if canImport(Darwin)
        st_mtimespec
        #else
        st_mtim
        #endif
    }

    fileprivate var changed: timespec {
        #if canImport(Darwin)
        st_ctimespec
        #else
        st_ctim
        #endif
    }
}

extension timespec {
    fileprivate static func == (one: timespec, other: timespec) -> Bool {
        one.tv_sec == other.tv_sec && one.tv_nsec == other.tv_nsec
    }
}
