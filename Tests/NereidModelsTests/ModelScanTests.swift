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
}
