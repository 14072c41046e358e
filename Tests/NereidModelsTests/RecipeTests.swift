// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NereidCheckpoints
import NereidImaging
import TestSupport
import Testing

@testable import NereidModels

@Suite("Recipes")
struct RecipeTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../Models/recipes").standardizedFileURL

    private static var files: [URL] {
        get throws {
            try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
                .filter { $0.pathExtension == "yaml" }
        }
    }

    @Test("are settings, each with who made the model and where it is to be had, and listed")
    func settings() throws {
        let list = try String(contentsOf: Self.folder.appendingPathComponent("README.md"), encoding: .utf8)
        let files = try Self.files
        #expect(files.count == 2)
        for file in files {
            _ = try ModelSettings(path: file.path)
            let text = try String(contentsOf: file, encoding: .utf8)
            for word in ["Made by", "Download: https://", "doi.org"] { #expect(text.contains(word), "\(file.path)") }
            #expect(!Detectron2Configuration.isConfiguration(file.path))
            #expect(list.contains(file.lastPathComponent))
        }
    }

    @Test("of the older server's two models say what it did")
    func olderServer() throws {
        let yolo = try ModelSettings(path: Self.folder.appendingPathComponent("mbari-mb-benthic-33k.yaml").path)
        #expect(yolo.aliases == ["image_queue_yolov5"])
        #expect(yolo.vision.sizeRule == .init(tallerThan: 960, size: 1280))
        #expect(yolo.vision.defaults.confidence == 0.1)
        #expect(yolo.vision.defaults.maxDetections == 1000)
        #expect(yolo.vision.defaults.classAgnostic == true)
        let retinaNet = try ModelSettings(
            path: Self.folder.appendingPathComponent("fathomnet-benthic-supercategories.yaml").path
        )
        #expect(retinaNet.vision.labels?.count == 20)
        #expect(retinaNet.vision.scales?.map(\.height) == [720, 540, 1080])
        #expect(retinaNet.vision.resampling == .precise)
        #expect(retinaNet.vision.ignoresOrientation)
        #expect(retinaNet.vision.defaults.iou == 0.45)
    }

    @Test("become the old answers when their commented lines are read too")
    func comments() throws {
        let file = Self.folder.appendingPathComponent("mbari-mb-benthic-33k.yaml")
        let text = try String(contentsOf: file, encoding: .utf8)
            .replacing(/(?m)^# (channels|letterbox_precision|orientation|round):/) { "\($0.output.1):" }
        let settings = try ModelSettings(yaml: text, path: file.path)
        #expect(settings.vision.channels == .bgr)
        #expect(settings.vision.resampling == .precise)
        #expect(settings.vision.ignoresOrientation && settings.vision.roundsBoxes)
    }
}
