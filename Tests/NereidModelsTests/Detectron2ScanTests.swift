// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NereidVision
import TestSupport
import Testing

@testable import NereidModels

@Suite("Weights of Detectron2 in folders")
struct Detectron2ScanTests {
    private static func scan(_ folder: TemporaryFolder) -> [FoundModel] {
        ModelScan([ModelLocation(path: folder.path)]).models
    }

    @Test("are found with the one configuration beside them, which is no settings file")
    func beside() throws {
        let folder = try TemporaryFolder()
        try folder.write(to: "reef/model_final.pth")
        try folder.write("MODEL: {}", to: "reef/config.yaml")
        try folder.write("confidence: 0.3", to: "reef/model_final.yaml")
        try folder.write(to: "zoo/weights.pkl")
        try folder.write("# the zoo's\n_BASE_: Base-RetinaNet.yaml\nMODEL: {}", to: "zoo/weights.yaml")
        let models = Self.scan(folder)
        #expect(models.map(\.name) == ["reef", "zoo"])
        #expect(
            models.map(\.configurationPaths) == [[folder.path("reef/config.yaml")], [folder.path("zoo/weights.yaml")]]
        )
        #expect(models.map(\.settingsPath) == [folder.path("reef/model_final.yaml"), nil])
    }

    @Test("take the configuration that has their name before others")
    func several() throws {
        let folder = try TemporaryFolder()
        for name in ["a", "b"] { try folder.write(to: "\(name).pth") }
        for name in ["a", "other"] { try folder.write("MODEL: {}", to: "\(name).yaml") }
        let models = Self.scan(folder)
        #expect(models.map(\.name) == ["a", "b"])
        #expect(models[0].configurationPaths == [folder.path("a.yaml")])
        #expect(models[1].configurationPaths == [folder.path("a.yaml"), folder.path("other.yaml")])
        let error = #expect(throws: ModelsError.self) { try models[1].detectron2Configuration() }
        #expect(error?.description.contains("there are several configurations of Detectron2") == true)
    }

    @Test("are named without a configuration, unless they are pickles of something else")
    func alone() async throws {
        let folder = try TemporaryFolder()
        // An empty dictionary, as a pickle of protocol 2.
        try folder.write(bytes: [0x80, 0x02, 0x7D, 0x2E], to: "model_final.pth")
        try folder.write(to: "metrics.pkl")
        let models = Self.scan(folder)
        #expect(models.map(\.name) == ["model_final"])
        await #expect(throws: ModelsError.configuration(path: folder.path("model_final.pth"), found: [])) {
            try await Fixtures.load(models[0])
        }
    }

    @Test("are another version when the configuration changes")
    func fingerprint() throws {
        let folder = try TemporaryFolder()
        try folder.write(to: "model_final.pth")
        try folder.write("MODEL: {MASK_ON: True}", to: "config.yaml")
        let before = Self.scan(folder)
        try folder.write("MODEL: {MASK_ON: False}", to: "config.yaml")
        #expect(Self.scan(folder) != before)
    }

    @Test("that were exported are one model, later stages with the first")
    func stages() throws {
        let folder = try TemporaryFolder()
        for name in ["rcnn.onnx", "rcnn.boxes.onnx", "rcnn.masks.onnx", "lone.boxes.onnx"] {
            try folder.write(to: name)
        }
        let models = Self.scan(folder)
        #expect(models.map(\.name) == ["lone.boxes", "rcnn"])
        #expect(
            models[1].stagePaths == ["boxes": folder.path("rcnn.boxes.onnx"), "masks": folder.path("rcnn.masks.onnx")]
        )
        #expect(models[0].stagePaths.isEmpty)
    }

    @Test("take scales in their settings")
    func scales() throws {
        let settings = try ModelSettings(yaml: "scales: [[720, 1280], [960, 540]]", path: "/m.yaml")
        #expect(settings.vision.scales == [.init(width: 1280, height: 720), .init(width: 960, height: 540)])
        for text in ["scales: 3", "scales: []", "scales: [[1]]", "scales: [[0, 5]]", "scales: [[a, b]]"] {
            let error = #expect(throws: ModelsError.self) { try ModelSettings(yaml: text, path: "/m.yaml") }
            #expect(error?.description.contains("‘scales’ must be a list of 1 to 8 pairs") == true)
        }
    }
}
