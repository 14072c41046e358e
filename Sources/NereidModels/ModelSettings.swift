// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import NereidCheckpoints
import NereidImaging
import NereidInference
public import NereidVision
import Yams

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What a user says about a model in the YAML file beside it. Every key is optional; a key that is not known is an error.
public struct ModelSettings: Sendable, Hashable {
    /// Other names that requests may use.
    public var aliases: [String] = []
    /// Everything that shapes the predictions.
    public var vision = VisionModelConfiguration()
    /// How the graph is made where the model is a checkpoint.
    public var conversion = ConversionOptions()

    /// No settings: everything is found out.
    public init() {}

    /// Reads the settings of a model.
    ///
    /// - Parameters:
    ///   - yaml: the file's text.
    ///   - path: the file's path, for errors and for a labels file named in it.
    /// - Throws: ``ModelsError/settings(path:reason:)``.
    public init(yaml: String, path: String) throws(ModelsError) {
        let reader: SettingsReader
        do {
            reader = try SettingsReader(yaml: yaml, known: Self.keys.map(\.name))
            try apply(reader, folder: URL(fileURLWithPath: path).deletingLastPathComponent())
        } catch {
            throw .settings(path: path, reason: "\(error)")
        }
    }

    /// Reads the settings file at a path.
    ///
    /// - Throws: ``ModelsError/settings(path:reason:)``.
    public init(path: String) throws(ModelsError) {
        guard let text = EditedFile.text(at: path) else {
            throw .settings(path: path, reason: "it can't be read as \(EditedFile.requirement)")
        }
        try self.init(yaml: text, path: path)
    }

    /// Every key with what it means and its default, in the order of the documentation.
    public static let keys: [(name: String, meaning: String)] = [
        (
            "task",
            "what the model does: \(VisionTask.allCases.map(\.rawValue).joined(separator: ", ")) (the file's)"
        ),
        ("labels", "names of the classes: a list, or a file: text with one name a line, or YAML or JSON with ‘names’"),
        ("aliases", "other names that requests may use"),
        ("confidence", "least score of a detection, 0…1 (0.25)"),
        ("iou", "greatest overlap of two objects of one class, 0…1 (0.45)"),
        ("class_agnostic", "whether classes suppress each other (false)"),
        ("max_detections", "most detections in one picture (300)"),
        ("top_k", "most classes of a picture from a model that classifies (5)"),
        ("input_size", "side of the input, or [width, height] (the file's, else 640)"),
        (
            "letterbox",
            "\(Letterbox.Fit.allCases.map(\.rawValue).joined(separator: ", ")) (rect where the input's size is free, "
                + "crop or crop_first for classes of whole pictures)"
        ),
        ("letterbox_precision", "byte or float: whether resized pixels are whole numbers (byte)"),
        ("orientation", "apply or ignore: what EXIF data say of how the camera was held (apply)"),
        ("round", "whether boxes are rounded to whole pixels (false)"),
        ("size_rule", "{taller_than: 960, size: 1280}: a larger input for tall pictures"),
        ("scales", "[[720, 1280], …]: shorter and longer sides at which each picture is looked at (one)"),
        ("head", "how outputs are read: \(HeadKind.allCases.map(\.rawValue).joined(separator: ", ")) (recognised)"),
        ("channels", "rgb or bgr (as the head's training code feeds them)"),
        ("scale", "what a pixel's 0…255 is multiplied by (as above)"),
        ("mean", "three numbers subtracted after scaling (as above)"),
        ("std", "three numbers divided by after the mean (as above)"),
        (
            "nms",
            "of a checkpoint with two heads: true for the one that needs suppression, false for the other (its package's)"
        ),
        ("device", "auto, cpu or cuda:N (auto)"),
        ("engine", "auto or onnxruntime (auto)"),
        ("instances", "runs at the same time"),
        ("threads", "threads of one run"),
        ("max_batch", "most pictures in one run (1 on a CPU, 8 on a GPU)"),
        ("rename", "classes to be called otherwise: {old: new}"),
    ]

    private mutating func apply(_ reader: SettingsReader, folder: URL) throws(SettingsReader.Problem) {
        vision.task = try reader.choice("task", of: VisionTask.allCases.map(\.rawValue)).flatMap(
            VisionTask.init
        )
        aliases = try reader.strings("aliases") ?? []
        vision.labels = try labels(reader, folder: folder)
        vision.defaults.confidence = try reader.fraction("confidence") ?? vision.defaults.confidence
        vision.defaults.iou = try reader.fraction("iou") ?? vision.defaults.iou
        vision.defaults.classAgnostic = try reader.boolean("class_agnostic")
        vision.defaults.maxDetections =
            try reader.integer("max_detections", in: 1...10_000) ?? vision.defaults.maxDetections
        vision.defaults.topClasses = try reader.integer("top_k", in: 1...10_000) ?? vision.defaults.topClasses
        vision.inputSize = try reader.size("input_size")
        vision.fit = try reader.choice("letterbox", of: Letterbox.Fit.allCases.map(\.rawValue)).flatMap(
            Letterbox.Fit.init
        )
        vision.resampling = try reader.choice("letterbox_precision", of: ["byte", "float"])
            .flatMap { $0 == "float" ? .precise : nil }
        vision.ignoresOrientation = try reader.choice("orientation", of: ["apply", "ignore"]) == "ignore"
        vision.roundsBoxes = try reader.boolean("round") ?? false
        vision.sizeRule = try reader.sizeRule("size_rule")
        vision.scales = try reader.scales("scales")
        vision.head = try reader.choice("head", of: ["auto"] + HeadKind.allCases.map(\.rawValue))
            .flatMap(HeadKind.init)
        vision.channels = try reader.choice("channels", of: ["rgb", "bgr"]).map { $0 == "bgr" ? .bgr : .rgb }
        vision.scale = try reader.number("scale").map { Float($0) }
        vision.mean = try reader.numbers("mean", count: 3).map(SIMD3.init)
        vision.standardDeviation = try reader.numbers("std", count: 3).map(SIMD3.init)
        if let deviation = vision.standardDeviation, deviation.min() <= 0 {
            throw .init("‘std’ must hold numbers above zero")
        }
        if let suppresses = try reader.boolean("nms") { conversion.head = suppresses ? .oneToMany : .oneToOne }
        if let text = try reader.string("device") {
            guard let device = Device(text) else {
                throw .init("‘device: \(text)’ is none of auto, cpu, cuda:N")
            }
            vision.session.device = device
        }
        _ = try reader.choice("engine", of: ["auto", "onnxruntime"])
        vision.session.instances = try reader.integer("instances", in: 1...256)
        vision.session.threads = try reader.integer("threads", in: 1...256)
        vision.maxBatch = try reader.integer("max_batch", in: 1...256)
        vision.rename = try reader.dictionary("rename") ?? [:]
    }

    /// The path of the label file that a settings file names; `nil` when it names none or can't be read.
    static func labelFile(ofSettingsAt path: String) -> String? {
        guard let text = EditedFile.text(at: path),
            let reader = try? SettingsReader(yaml: text, known: keys.map(\.name))
        else { return nil }
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
        return reader.plainString("labels").map { URL(fileURLWithPath: $0, relativeTo: folder).path }
    }

    private func labels(_ reader: SettingsReader, folder: URL) throws(SettingsReader.Problem) -> [String]? {
        guard let file = reader.plainString("labels") else { return try reader.strings("labels") }
        let url = URL(fileURLWithPath: file, relativeTo: folder)
        guard let text = EditedFile.text(at: url.path) else {
            throw .init("‘labels’ names the file \(url.path), which can't be read as \(EditedFile.requirement)")
        }
        if ["yaml", "yml", "json"].contains(url.pathExtension.lowercased()) {
            return try LabelsDocument(yaml: text, path: url.path).names
        }
        var lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).map {
            $0.trimmingCharacters(in: .whitespacesAndNewlines)
        }
        while lines.last == "" { lines.removeLast() }
        return lines
    }
}
