// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidCheckpoints
import NereidImaging
import NereidInference
import NereidVision
import TestSupport
import Testing

@testable import NereidModels

@Suite("Model settings")
struct ModelSettingsTests {
    static func settings(_ yaml: String) throws -> ModelSettings {
        try ModelSettings(yaml: yaml, path: "/models/reef.yaml")
    }

    @Test("understand every key")
    func everyKey() throws {
        let settings = try Self.settings(
            """
            task: detect
            labels: [urchin, "sea star", 3]
            aliases: [benthic, bottom]
            confidence: 0.4
            iou: 0.6
            class_agnostic: true
            max_detections: 50
            top_k: 3
            input_size: [1280, 736]
            letterbox: stretch
            letterbox_precision: float
            orientation: ignore
            round: true
            nms: false
            scales: [[720, 1280], [540, 960]]
            size_rule: {taller_than: 960, size: 1280}
            head: yolov8
            channels: bgr
            scale: 0.5
            mean: [0.485, 0.456, 0.406]
            std: [1, 2.5, 3]
            device: cuda:1
            engine: onnxruntime
            instances: 2
            threads: 3
            max_batch: 4
            rename: {urchin: Strongylocentrotus, 3: three}
            """
        )
        var expected = ModelSettings()
        expected.vision.task = .detect
        expected.aliases = ["benthic", "bottom"]
        expected.vision.labels = ["urchin", "sea star", "3"]
        expected.vision.defaults.confidence = 0.4
        expected.vision.defaults.iou = 0.6
        expected.vision.defaults.classAgnostic = true
        expected.vision.defaults.maxDetections = 50
        expected.vision.inputSize = PixelSize(width: 1280, height: 736)
        expected.vision.defaults.topClasses = 3
        expected.vision.fit = .stretch
        expected.vision.resampling = .precise
        expected.vision.ignoresOrientation = true
        expected.vision.roundsBoxes = true
        expected.conversion.head = .oneToOne
        expected.vision.scales = [PixelSize(width: 1280, height: 720), PixelSize(width: 960, height: 540)]
        expected.vision.sizeRule = .init(tallerThan: 960, size: 1280)
        expected.vision.head = .yolov8
        expected.vision.channels = .bgr
        expected.vision.scale = 0.5
        expected.vision.mean = [0.485, 0.456, 0.406]
        expected.vision.standardDeviation = [1, 2.5, 3]
        expected.vision.session = SessionOptions(device: .cuda(1), instances: 2, threads: 3)
        expected.vision.maxBatch = 4
        expected.vision.rename = ["urchin": "Strongylocentrotus", "3": "three"]
        #expect(settings == expected)
    }

    @Test("change nothing when they say nothing", arguments: ["", "# nothing\n", "{}"])
    func nothing(yaml: String) throws {
        #expect(try Self.settings(yaml) == ModelSettings())
    }

    @Test("know every task and every way to fit a picture")
    func choices() throws {
        for task in VisionTask.allCases { #expect(try Self.settings("task: \(task.rawValue)").vision.task == task) }
        for fit in Letterbox.Fit.allCases { #expect(try Self.settings("letterbox: \(fit.rawValue)").vision.fit == fit) }
    }

    @Test("may leave to Nereid what it finds out itself")
    func automatic() throws {
        let settings = try Self.settings(
            """
            head: auto
            device: auto
            engine: auto
            input_size: 320
            channels: rgb
            letterbox_precision: byte
            orientation: apply
            round: false
            """
        )
        #expect(settings.vision.resampling == nil)
        #expect(!settings.vision.ignoresOrientation && !settings.vision.roundsBoxes)
        #expect(settings.vision.head == nil)
        #expect(settings.vision.session.device == .auto)
        #expect(settings.vision.inputSize == PixelSize(width: 320, height: 320))
        #expect(settings.vision.channels == .rgb)
    }

    static let refusals: [(yaml: String, reason: String)] = [
        ("confidense: 0.5", "‘confidense’ is not a setting. Settings: task, labels, aliases, confidence, iou"),
        ("- a\n- b", "it must be a mapping of settings to values"),
        ("just words", "it must be a mapping of settings to values"),
        ("a: [1", "it is not YAML: "),
        ("iou: 0.5\niou: 0.6", "iou"),
        ("top_k: 0", "‘top_k’ must be a whole number from 1 to 10000"),
        ("letterbox_precision: double", "‘letterbox_precision: double’ is none of byte, float"),
        ("orientation: sideways", "‘orientation: sideways’ is none of apply, ignore"),
        ("round: up", "‘round’ must be true or false"),
        ("task: dream", "‘task: dream’ is none of detect, segment, pose, obb, classify"),
        ("task: [detect]", "‘task’ must be a word"),
        ("labels: {0: a}", "‘labels’ must be a list of words"),
        ("labels: [a, [b]]", "‘labels’ must be a list of words"),
        (
            "labels: nowhere.txt",
            "‘labels’ names the file /models/nowhere.txt, which can't be read as UTF-8 or UTF-16 text"
        ),
        ("aliases: benthic", "‘aliases’ must be a list of words"),
        ("confidence: high", "‘confidence’ must be a number"),
        ("confidence: .nan", "‘confidence’ must be a number"),
        ("confidence: 1.5", "‘confidence’ must lie between 0 and 1, not 1.5"),
        ("iou: -0.1", "‘iou’ must lie between 0 and 1, not -0.1"),
        ("class_agnostic: maybe", "‘class_agnostic’ must be true or false"),
        ("max_detections: 0", "‘max_detections’ must be a whole number from 1 to 10000"),
        ("max_detections: 2.5", "‘max_detections’ must be a whole number from 1 to 10000"),
        ("input_size: 0", "‘input_size’ must be a side from 1 to 8192 or [width, height]"),
        ("input_size: [640]", "‘input_size’ must be a side from 1 to 8192 or [width, height]"),
        ("input_size: [640, 9000]", "‘input_size’ must be a side from 1 to 8192 or [width, height]"),
        ("input_size: [640, wide]", "‘input_size’ must be a side from 1 to 8192 or [width, height]"),
        ("letterbox: round", "‘letterbox: round’ is none of rect, square, stretch"),
        ("size_rule: 960", "‘size_rule’ must read {taller_than: PIXELS, size: SIDE}"),
        ("size_rule: {taller_than: 960}", "‘size_rule’ must read {taller_than: PIXELS, size: SIDE}"),
        ("size_rule: {taller_than: 960, size: 1}", "‘size_rule’ must read {taller_than: PIXELS, size: SIDE}"),
        ("head: yolov99", "‘head: yolov99’ is none of auto, yolov5, yolov8, end2end, yolox, ssd, fastestv2"),
        ("channels: rbg", "‘channels: rbg’ is none of rgb, bgr"),
        ("scale: big", "‘scale’ must be a number"),
        ("mean: 0.5", "‘mean’ must be a list of 3 numbers"),
        ("mean: [1, 2]", "‘mean’ must be a list of 3 numbers"),
        ("mean: [1, 2, .inf]", "‘mean’ must be a list of 3 numbers"),
        ("std: [1, 0, 1]", "‘std’ must hold numbers above zero"),
        ("device: tpu", "‘device: tpu’ is none of auto, cpu, cuda:N"),
        ("engine: steam", "‘engine: steam’ is none of auto, onnxruntime"),
        ("instances: 0", "‘instances’ must be a whole number from 1 to 256"),
        ("threads: 257", "‘threads’ must be a whole number from 1 to 256"),
        ("max_batch: many", "‘max_batch’ must be a whole number from 1 to 256"),
        ("rename: [a, b]", "‘rename’ must map old names to new ones"),
        ("rename: {a: [b]}", "‘rename’ must map old names to new ones"),
    ]

    @Test("that can't be used say which, where and why", arguments: refusals)
    func refused(yaml: String, reason: String) throws {
        let error = #expect(throws: ModelsError.self) { try Self.settings(yaml) }
        let text = try #require(error?.description)
        #expect(text.hasPrefix("the settings in /models/reef.yaml can't be used: "))
        #expect(text.contains(reason))
    }

    @Test("may name a file of labels beside them")
    func labelsFile() throws {
        let folder = try TemporaryFolder()
        try folder.write("urchin\r\n sea star \n\nsea cucumber\n\n", to: "names.txt")
        let path = try folder.write("labels: names.txt", to: "reef.yaml")
        #expect(try ModelSettings(path: path).vision.labels == ["urchin", "sea star", "", "sea cucumber"])
        let absolute = try folder.write("labels: \(folder.path("names.txt"))", to: "other.yaml")
        #expect(try ModelSettings(path: absolute).vision.labels?.first == "urchin")
    }

    @Test("must be a readable file of reasonable length")
    func unreadable() throws {
        let folder = try TemporaryFolder()
        let long = try folder.write(String(repeating: "#", count: 1 << 20) + "#", to: "long.yaml")
        let reason = "it can't be read as UTF-8 or UTF-16 text of at most 1 MiB"
        for path in [folder.path("gone.yaml"), folder.path, long] {
            #expect(throws: ModelsError.settings(path: path, reason: reason)) { try ModelSettings(path: path) }
        }
    }

    @Test("may be saved in UTF-8 or UTF-16, with a byte order mark or without, and their labels too")
    func encodings() throws {
        let folder = try TemporaryFolder()
        for settings in "aliases: [海鼠]\nlabels: names.txt\n".encodings {
            for labels in "Seegurke\r\n海鼠\r\n".encodings {
                try folder.write(bytes: labels, to: "names.txt")
                let read = try ModelSettings(path: folder.write(bytes: settings, to: "reef.yaml"))
                #expect(read.aliases == ["海鼠"])
                #expect(read.vision.labels == ["Seegurke", "海鼠"])
            }
        }
    }

    static let documents = [
        ("data.yaml", "path: x\nnames: [urchin, star]\n"), ("data.yaml", "nc: 2\nnames:\n  0: urchin\n  1: star\n"),
        ("data.yml", "- urchin\n- star\n"), ("names.json", #"{"1": "star", "0": "urchin"}"#),
        ("names.json", #"{"names": ["urchin", "star"]}"#),
    ]

    @Test("take labels from a data set's YAML, or from JSON", arguments: documents)
    func labelDocuments(name: String, text: String) throws {
        let folder = try TemporaryFolder()
        for bytes in text.encodings {
            try folder.write(bytes: bytes, to: name)
            let path = try folder.write("labels: \(name)", to: "reef.yaml")
            #expect(try ModelSettings(path: path).vision.labels == ["urchin", "star"])
        }
    }

    @Test(
        "refuse such a file that does not name each class",
        arguments: [
            "names: {0: a, 2: c}", "names: {1: a, 2: b}", "names: {a: b}", "names: [[a]]", "names: 3", "", "[a",
        ]
    )
    func brokenDocument(text: String) throws {
        let folder = try TemporaryFolder()
        try folder.write(text, to: "data.yaml")
        let path = try folder.write("labels: data.yaml", to: "reef.yaml")
        let error = #expect(throws: ModelsError.self) { try ModelSettings(path: path) }
        #expect(error?.description.contains("‘labels’ names the file \(folder.path("data.yaml")), which") == true)
    }

    @Test("are all described")
    func described() {
        #expect(Set(ModelSettings.keys.map(\.name)).count == ModelSettings.keys.count)
        #expect(ModelSettings.keys.allSatisfy { !$0.meaning.isEmpty })
    }
}
