// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NereidCheckpoints
import NereidImaging
import NereidInference
import Testing

@testable import NereidVision

/// From the checkpoint to the answer: each checkpoint of the shared folder is converted and served, and what it finds on each
/// photo in each mode is compared with what its own framework finds.
@Suite("Checkpoints against their own frameworks", .enabled(if: SharedFolder.isThere, SharedFolder.absence))
struct CheckpointReferenceTests {
    /// A checkpoint and the reference results that belong to it, as paths in the shared folder.
    struct Sample: Sendable, CustomTestStringConvertible {
        let checkpoint: String
        let reference: String

        init(_ folder: String, _ name: String) {
            checkpoint = "reference/\(folder)/\(name).pt"
            reference = "reference/\(folder)/\(name).json"
        }

        init(checkpoint: String, reference: String) {
            self.checkpoint = checkpoint
            self.reference = reference
        }

        var testDescription: String { checkpoint }
    }

    static let samples =
        [
            "hub-yolov3-tiny", "release-v3.1-legacy", "release-v5.0", "yolov5n-last", "yolov5n-legacy",
            "yolov5n-mbari691", "yolov5n-seg", "yolov5n", "yolov5n6", "yolov5s",
        ].map { Sample("yolov5", $0) }
        + [
            "yolo11n-pose", "yolo11n", "yolo26n-obb", "yolo26n-pose", "yolo26n-seg", "yolo26n",
            "yolov8n-saved-by-8.0.196", "yolov8n-seg", "yolov8n",
        ].map { Sample("ultralytics", $0) }
        + [Sample(checkpoint: "models/yolov5n.pt", reference: "reference/yolov5/yolov5n-coco.json")]

    static let classifiers =
        [Sample("yolov5", "yolov5n-cls"), Sample("ultralytics", "yolo26n-cls"), Sample("ultralytics", "yolov8n-cls")]
        + [
            Sample(
                checkpoint: "models/yolov8n-cls-weather4.pt",
                reference: "reference/ultralytics/yolov8n-cls-weather4.json"
            )
        ]

    @Test("finds every stable detection on every photo in every mode, and nothing unexplained", arguments: samples)
    func detections(sample: Sample) async throws {
        let reference = try SharedFolder.json(ReferenceFile.self, sample.reference)
        var models = ModelsOfCheckpoint(try SharedFolder.path(sample.checkpoint))
        try #require(!reference.runs.isEmpty)
        var row = ReferenceTable.Row(checkpoint: sample.checkpoint)
        for run in reference.runs {
            let mode = try #require(ReferenceMode(rawValue: run.mode), "unknown mode \(run.mode)")
            let model = try await models.model(for: mode)
            let picture = try await ReferencePhotos.shared.picture(run.photo)
            let letterbox = model.input.letterbox(for: picture.size)
            #expect([letterbox.input.height, letterbox.input.width] == run.netHw)
            let found = try await model.predict([picture], options: mode.options)[0].detections
            let comparison = ReferenceComparison(run: run, letterbox: letterbox)
            comparison.check(found)
            row.add(run, found)
        }
        try ReferenceTable.add(row)
        await models.shutDown()
    }

    @Test("marks the pixels that the framework marks", arguments: samples.filter { $0.checkpoint.contains("-seg") })
    func masks(sample: Sample) async throws {
        let reference = try SharedFolder.json(ReferenceFile.self, sample.reference)
        var models = ModelsOfCheckpoint(try SharedFolder.path(sample.checkpoint))
        for run in reference.runs {
            let mode = try #require(ReferenceMode(rawValue: run.mode))
            let model = try await models.model(for: mode)
            let picture = try await ReferencePhotos.shared.picture(run.photo)
            let letterbox = model.input.letterbox(for: picture.size)
            // The reference's masks have the size of the network's input, and so has the answer to a picture of that size.
            let fitted = try letterbox.fitted(picture)
            #expect(model.input.letterbox(for: fitted.size).input == fitted.size)
            let found = try await model.predict([fitted], options: mode.options)[0].detections
            ReferenceComparison(run: run, letterbox: letterbox).checkMasks(found)
        }
        await models.shutDown()
    }

    @Test("gives every class the probability that the framework gives it", arguments: classifiers)
    func probabilities(sample: Sample) async throws {
        let reference = try SharedFolder.json(ReferenceFile.self, sample.reference)
        var models = ModelsOfCheckpoint(try SharedFolder.path(sample.checkpoint))
        try #require(!reference.runs.isEmpty)
        for run in reference.runs {
            let expected = try #require(run.probabilities)
            let model = try await models.model(for: .classify) {
                $0.inputSize = PixelSize(width: run.netHw[1], height: run.netHw[0])
            }
            #expect(model.task == .classify)
            let picture = try await ReferencePhotos.shared.picture(run.photo)
            let found = try await model.predict([picture], options: .init(topClasses: expected.count))[0]
            #expect(found.detections.isEmpty)
            #expect(found.classifications.count == expected.count)
            for classification in found.classifications {
                let difference = abs(classification.score - expected[classification.classID])
                #expect(
                    difference < 2e-3,
                    "\(run.photo): \(classification), expected \(expected[classification.classID])"
                )
            }
        }
        await models.shutDown()
    }

    @Test("answers as the older server did when its settings say so", arguments: ["yolov5n", "yolov5n-mbari691"])
    func olderServer(name: String) async throws {
        let sample = Sample("yolov5", name)
        let reference = try SharedFolder.json(ReferenceFile.self, sample.reference)
        var models = ModelsOfCheckpoint(try SharedFolder.path(sample.checkpoint))
        let runs = reference.runs.filter { $0.mode == "seed_worker" }
        try #require(!runs.isEmpty)
        let model = try await models.model(for: .seedWorker) { $0.roundsBoxes = true }
        for run in runs.prefix(2) {
            let expected = try #require(run.seedJson)
            let picture = try await ReferencePhotos.shared.picture(run.photo)
            let found = try await model.predict([picture], options: ReferenceMode.seedWorker.options)[0].detections
            for detection in found {
                #expect([detection.box.x1, detection.box.y2].allSatisfy { $0 == $0.rounded() })
            }
            let stable = (run.detections ?? []).filter(\.stable)
            let missing = expected.filter { item in
                !found.contains { detection in
                    detection.label == item.categoryId && abs(detection.score - item.scores[0]) < 2e-3
                        // At a half, rounding goes either way.
                        && detection.box.isNear(Box(edges: item.bbox), within: 1)
                }
            }
            #expect(missing.count <= expected.count - stable.count, "\(run.photo): \(missing)")
        }
        await models.shutDown()
    }
}

/// The modes of the reference results, as README.md there describes them.
enum ReferenceMode: String {
    case square640, rect640, square1280, defaults
    case square640ClassAware = "square640_class_aware"
    case rect640ClassAware = "rect640_class_aware"
    case square1280ClassAware = "square1280_class_aware"
    case seedWorker = "seed_worker"
    case seedWorkerClassAware = "seed_worker_class_aware"
    case oneToOne = "nms_free"
    case classify

    /// The mode without what concerns only the request.
    var base: ReferenceMode {
        switch self {
        case .square640ClassAware: .square640
        case .rect640ClassAware, .defaults: .rect640
        case .square1280ClassAware: .square1280
        case .seedWorkerClassAware: .seedWorker
        default: self
        }
    }

    var options: PredictionOptions {
        switch self {
        case .defaults: PredictionOptions(confidence: 0.25, iou: 0.7, maxDetections: 300, classAgnostic: false)
        case .oneToOne: PredictionOptions(confidence: 0.1, maxDetections: 300)
        default:
            PredictionOptions(
                confidence: 0.1,
                iou: 0.45,
                maxDetections: 1000,
                classAgnostic: !rawValue.hasSuffix("_class_aware")
            )
        }
    }

    func configure(_ configuration: inout VisionModelConfiguration) {
        let side = base == .square1280 ? 1280 : 640
        configuration.inputSize = PixelSize(width: side, height: side)
        switch base {
        case .square640, .square1280:
            configuration.fit = .square
        case .seedWorker:
            configuration.fit = .square
            configuration.sizeRule = .init(tallerThan: 960, size: 1280)
            configuration.channels = .bgr
            configuration.resampling = .precise
        case .classify:
            break
        default:
            configuration.fit = .rect
        }
    }
}

/// The models that one checkpoint makes in several modes.
struct ModelsOfCheckpoint {
    private let path: String
    private var graphs: [HeadChoice: GraphSource] = [:]
    private var models: [ReferenceMode: VisionModel] = [:]

    init(_ path: String) {
        self.path = path
    }

    mutating func model(
        for mode: ReferenceMode,
        _ configure: (inout VisionModelConfiguration) -> Void = { _ in }
    ) async throws -> VisionModel {
        if let model = models[mode.base] { return model }
        let choice: HeadChoice = mode == .oneToOne ? .oneToOne : .automatic
        let graph = try graphs[choice] ?? convert(choice)
        graphs[choice] = graph
        let model = try await Fixtures.model(graph) { configuration in
            mode.configure(&configuration)
            configure(&configuration)
        }
        models[mode.base] = model
        return model
    }

    private func convert(_ choice: HeadChoice) throws -> GraphSource {
        let graph = try CheckpointConverter.convert(
            Checkpoint(path: path),
            options: ConversionOptions(ending: .maps, head: choice)
        )
        return GraphSource(name: path, content: .bytes(try graph.bytes()))
    }

    func shutDown() async {
        for model in models.values { await model.shutDown() }
    }
}

extension Letterbox {
    /// The picture as the network gets it.
    func fitted(_ picture: Picture) throws -> Picture {
        var bytes = [UInt8](repeating: 0, count: input.width * input.height * 3)
        var span = bytes.mutableSpan
        var raw = span.mutableBytes
        try render(picture, as: PixelEncoding(element: .uint8, layout: .interleaved, scale: 1), into: &raw)
        return try Picture(width: input.width, height: input.height, pixels: bytes)
    }
}
