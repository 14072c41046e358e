// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging
import NereidInference
import Testing

@testable import NereidVision

@Suite("Head recognition")
struct HeadRecognitionTests {
    typealias Layout = WeakNetwork.Layout

    static func recognise(
        _ evidence: HeadEvidence,
        asked: HeadKind? = nil
    ) throws -> HeadRecognition.Recognised {
        try HeadRecognition.head(for: evidence, asked: asked, model: "reef")
    }

    /// What comes of it: the head's name, or the error.
    static func outcome(_ evidence: HeadEvidence, asked: HeadKind? = nil) throws -> String {
        do throws(VisionError) {
            return try HeadRecognition.head(for: evidence, asked: asked, model: "reef").kind.rawValue
        } catch { return error.description }
    }

    static let elements = [ElementType.float32, .float16]

    @Test("tells every served layout by its values and the number of its labels", arguments: Layout.allCases, elements)
    func labelled(layout: Layout, element: ElementType) throws {
        for classes in [1, 2, 3, 20] {
            for seed in 1...1 {
                let network = WeakNetwork(layout: layout, classes: classes, element: element, seed: UInt64(seed))
                guard let kind = network.kind, layout != .classifier || classes > 1 else { continue }
                let outcome = try Self.outcome(network.evidence(labels: classes))
                #expect(outcome == kind.rawValue, "\(classes) classes, seed \(seed)")
                #expect(try Self.outcome(network.evidence(given: classes)) == kind.rawValue)
            }
        }
    }

    @Test(
        "without labels names the right layout among others, or takes it, and never another",
        arguments: Layout.allCases
    )
    func unlabelled(layout: Layout) throws {
        for classes in [1, 2, 3, 20] {
            for seed in 1...2 {
                let network = WeakNetwork(layout: layout, classes: classes, seed: UInt64(seed))
                guard let kind = network.kind else { continue }
                let outcome = try Self.outcome(network.evidence())
                #expect(
                    outcome == kind.rawValue || outcome.contains("‘head: \(kind.rawValue)’"),
                    "\(classes) classes, seed \(seed): \(outcome)"
                )
            }
        }
    }

    static let certain: [Layout] = [
        .yolov8, .yolov8Fractions, .yolov5, .yolov5Fractions, .yolov6, .yolox, .yoloxDecoded, .endToEnd, .deepStream,
        .deepStreamAnchors, .rtdetrRows, .rtdetrClasses, .yolov7, .ssd, .classifier,
    ]

    @Test("needs no labels where values decide", arguments: certain)
    func valuesDecide(layout: Layout) throws {
        for classes in [3, 80] {
            let network = WeakNetwork(layout: layout, classes: classes)
            #expect(try Self.outcome(network.evidence()) == network.kind?.rawValue)
        }
    }

    static let foreign: [(Layout, String)] = [
        (.yoloNASRows, "YOLO-NAS"), (.boxesAndScores, "YOLO-NAS or DAMO-YOLO"),
        (.boxesAndScoresTurned, "YOLO-NAS or DAMO-YOLO"), (.queries, "DETR or RF-DETR"),
        (.classMajorScores, "PP-YOLOE"), (.face, "YOLOv5-face"), (.nanoDet, "NanoDet"),
    ]

    @Test("refuses by their names layouts that values show", arguments: foreign)
    func foreignValues(layout: Layout, name: String) throws {
        for classes in [2, 3, 7, 20] {
            for seed in 1...1 {
                let network = WeakNetwork(layout: layout, classes: classes, seed: UInt64(seed))
                let error = #expect(throws: VisionError.self) { try Self.recognise(network.evidence()) }
                guard case .unsupportedLayout(_, let layout, let because, _) = error else {
                    Issue.record("\(String(describing: error))")
                    continue
                }
                #expect(layout.hasPrefix(name))
                #expect(!because.isEmpty)
            }
        }
    }

    @Test("tells objectness from classes where something is found")
    func firing() throws {
        // One row a cell of seven values: three classes, or an objectness and two.
        func evidence(_ rows: [[Float]]) throws -> HeadEvidence {
            let black = WeakNetwork(layout: .yolov8Rows).cellBoxes.map { $0 + [0, 0, 0] }
            var textured = black
            for (index, row) in rows.enumerated() { textured[index * 5].replaceSubrange(4..., with: row) }
            return HeadEvidence(
                runs: try [black, textured].map { [try Tensor.rows($0)] },
                input: WeakNetwork(layout: .yolov8Rows).input
            )
        }
        let classes: [[Float]] = [[0.9, 0, 0], [0, 0.8, 0], [0.7, 0, 0], [0, 0, 0.9]]
        #expect(try Self.outcome(evidence(classes)) == "yolov8_rows")
        let objectness: [[Float]] = [[0.9, 0.9, 0], [0.8, 0, 0.9], [0.7, 0.8, 0], [0.1, 0, 0.3]]
        #expect(try Self.outcome(evidence(objectness)) == "yolox_decoded")
        let either = try Self.outcome(evidence([[0, 0.3, 0]]))
        #expect(either.contains("more than one way"))
        #expect(either.contains("‘head: yolov8_rows’") && either.contains("‘head: yolox_decoded’"))
        // The run in 0…255 counts for an output that is called as YOLOX calls it; other networks may answer it with anything.
        var bright = try evidence([[0, 0.3, 0]])
        bright = HeadEvidence(
            runs: bright.runs + [try evidence(objectness).runs[1]],
            names: ["output"],
            input: bright.input
        )
        #expect(try Self.outcome(bright) == "yolox_decoded")
        bright = HeadEvidence(runs: bright.runs, input: bright.input)
        #expect(try Self.outcome(bright).contains("more than one way"))
        // Ultralytics' exporters write the stride, YOLOX does not.
        var exported = try evidence([[0, 0.3, 0]])
        exported = HeadEvidence(runs: exported.runs, input: exported.input, metadata: ["stride": "32"])
        #expect(try Self.outcome(exported) == "yolov8_rows")
    }

    @Test("refuses values that contradict their shape", arguments: [Layout.yolov8, .yolov5, .endToEnd])
    func contradiction(layout: Layout) throws {
        let network = WeakNetwork(layout: layout, greatest: 40)
        let text = try Self.outcome(network.evidence(labels: 3))
        #expect(text.contains("not from 0 to 1"))
    }

    @Test(
        "takes scores that rounding put above 1",
        arguments: [Layout.yolov8, .yolov8Rows, .yolov5, .endToEnd, .deepStream]
    )
    func rounding(layout: Layout) throws {
        let network = WeakNetwork(layout: layout, greatest: 1.004)
        #expect(try Self.outcome(network.evidence(labels: 3)) == network.kind?.rawValue)
    }

    struct Sample: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let evidence: HeadEvidence
        let kind: HeadKind
        let classes: Int

        init(_ description: String, _ evidence: HeadEvidence, _ kind: HeadKind, classes: Int) {
            testDescription = description
            self.evidence = evidence
            self.kind = kind
            self.classes = classes
        }
    }

    private static func square(_ side: Int) -> PixelSize { PixelSize(width: side, height: side) }

    static let samples = [
        Sample("YOLOv5", .init([1, 25200, 85]), .yolov5, classes: 80),
        Sample("YOLOv5, labelled", .init([1, 25200, 85], labels: 80), .yolov5, classes: 80),
        Sample("YOLOv5 P6", .init([1, 102_000, 85], input: square(1280)), .yolov5, classes: 80),
        Sample("YOLOv5 with masks", .init([1, 25200, 117], [1, 32, 160, 160]), .yolov5, classes: 80),
        Sample("YOLOv3-tiny", .init([1, 6000, 12], labels: 7), .yolov5, classes: 7),
        Sample("YOLOv8", .init([1, 84, 8400]), .yolov8, classes: 80),
        Sample("YOLOv8, labelled", .init([1, 84, 8400], labels: 80), .yolov8, classes: 80),
        Sample("YOLOv8, one class", .init([1, 5, 8400]), .yolov8, classes: 1),
        Sample("YOLOv8, wide", .init([1, 84, 5040], input: .init(width: 640, height: 384)), .yolov8, classes: 80),
        Sample("YOLOv8 P2", .init([1, 24, 34000]), .yolov8, classes: 20),
        Sample("YOLOv8 P6", .init([1, 24, 8500]), .yolov8, classes: 20),
        Sample("YOLOv8 with masks", .init([1, 116, 8400], [1, 32, 160, 160]), .yolov8, classes: 80),
        Sample("YOLOv8, strides unknown", .init([1, 7, 100], input: square(160), labels: 3), .yolov8, classes: 3),
        Sample("YOLO26", .init([1, 300, 6]), .endToEnd, classes: 0),
        Sample("YOLO26, labelled", .init([1, 300, 6], labels: 80), .endToEnd, classes: 80),
        Sample("YOLO26, one class", .init([1, 300, 6], labels: 1), .endToEnd, classes: 1),
        Sample("YOLO26, two classes", .init([1, 300, 6], labels: 2), .endToEnd, classes: 2),
        Sample("YOLO26 with masks", .init([1, 300, 38], [1, 32, 160, 160]), .endToEnd, classes: 0),
        Sample(
            "Ultra-Light face detector",
            .init([1, 4420, 2], [1, 4420, 4], names: ["scores", "boxes"], input: .init(width: 320, height: 240)),
            .ssd,
            classes: 1
        ),
        Sample("SSD, boxes first", .init([1, 1917, 4], [1, 1917, 91], input: square(300)), .ssd, classes: 90),
        Sample(
            "YOLO-FastestV2",
            .init(
                [1, 12, 22, 22],
                [1, 3, 22, 22],
                [1, 80, 22, 22],
                [1, 12, 11, 11],
                [1, 3, 11, 11],
                [1, 80, 11, 11],
                input: square(352)
            ),
            .fastestV2,
            classes: 80
        ),
        Sample("classifier", .init([1, 1000]), .classifier, classes: 1000),
        Sample("classifier, labelled", .init([1, 4], labels: 4), .classifier, classes: 4),
        Sample("classifier of seven classes", .init([1, 7], labels: 7), .classifier, classes: 7),
        Sample("classifier, still spatial", .init([1, 1000, 1, 1]), .classifier, classes: 1000),
        Sample(
            "YOLOv8 with keypoints",
            .init([1, 56, 8400], task: .pose, metadata: ["kpt_shape": "[17, 3]"]),
            .yolov8,
            classes: 1
        ),
        Sample("YOLOv8, turned", .init([1, 20, 21504], input: square(1024), task: .obb), .yolov8, classes: 15),
        Sample(
            "YOLO26 with keypoints",
            .init([1, 300, 57], labels: 1, task: .pose, metadata: ["kpt_shape": "[17, 3]"]),
            .endToEnd,
            classes: 1
        ),
        Sample("YOLO26, turned", .init([1, 300, 7], labels: 15, task: .obb), .endToEnd, classes: 15),
        Sample("YOLO26, turned, two classes", .init([1, 300, 7], labels: 2, task: .obb), .endToEnd, classes: 2),
        Sample("YOLOv5's maps", MapSample.yolov5.evidence, .yolov5Maps, classes: 2),
        Sample("YOLOv5's maps with masks", MapSample.yolov5Masks.evidence, .yolov5Maps, classes: 2),
        Sample("YOLOv8's maps", MapSample.yolov8.evidence, .yolov8Maps, classes: 3),
        Sample("YOLOv8's maps, turned", MapSample.yolov8Turned.evidence, .yolov8Maps, classes: 3),
    ]

    @Test("knows the exports whose shapes are nobody else's", arguments: samples)
    func recognised(sample: Sample) throws {
        let found = try Self.recognise(sample.evidence)
        #expect(found.kind == sample.kind)
        #expect(found.head.classCount == sample.classes)
        #expect(!found.reason.isEmpty)
        let asked = try Self.recognise(sample.evidence, asked: sample.kind)
        #expect(asked.reason == "the settings name it; \(found.reason)")
    }

    @Test(
        "says what it saw and what it tried when it knows nothing",
        arguments: [
            HeadEvidence([1, 1000], labels: 10), HeadEvidence([1, 3, 7, 7, 7]),
            HeadEvidence([1, 84, 8400], labels: 20),
        ]
    )
    func unknown(evidence: HeadEvidence) throws {
        let text = try Self.outcome(evidence)
        #expect(text.contains("‘reef’"))
        #expect(text.contains("output0 \(evidence.outputs[0].shape)"))
        #expect(text.contains("head: …"))
        for kind in HeadKind.allCases { #expect(text.contains("\(kind.rawValue): ")) }
    }

    @Test("believes the metadata, and says what is wrong with it")
    func metadata() throws {
        // The shape of an ordinary export under the name of another layout.
        let text = try Self.outcome(HeadEvidence([1, 84, 8400], metadata: ["nereid.layout": "yolov8.maps"]))
        #expect(text.contains("yolov8_maps: the metadata's ‘nereid.strides’ is not a list of strides"))
        #expect(!text.contains("ssd: "))
        let decoded = HeadEvidence([1, 84, 8400], metadata: ["nereid.layout": "decoded"])
        #expect(try Self.recognise(decoded).kind == .yolov8)
        let rows = HeadEvidence([1, 300, 6], labels: 3, metadata: ["head": "RTDETRDecoder"])
        #expect(try Self.recognise(rows).kind == .rtdetr)
    }

    @Test("says why the head that the settings ask for does not fit")
    func asked() throws {
        #expect(
            try Self.outcome(HeadEvidence([1, 25200, 85]), asked: .yolox) == """
                model ‘reef’: its settings ask for the head ‘yolox’, which does not fit its outputs \
                output0 [1, 25200, 85]: 25200 rows are not one for each cell of 640×640. \
                Remove ‘head’ from the settings to have it recognised, or correct it
                """
        )
    }

    @Test("takes the head that the settings name without labels, cells or values that confirm it")
    func askedWithoutEvidence() throws {
        for (shape, kind) in [
            ([1, 525, 8], HeadKind.yolov5), ([1, 77, 8], .yolov5), ([1, 7, 77], .yolov8), ([1, 77, 7], .yolov8Rows),
            ([1, 77, 8], .yoloxDecoded), ([1, 3000, 6], .endToEnd), ([1, 77, 6], .deepStream), ([1, 77, 7], .rtdetr),
        ] {
            #expect(try Self.recognise(HeadEvidence(shape, input: Self.square(160)), asked: kind).kind == kind)
        }
        // Scores above 1 do not overrule the settings; a request in which they come is refused.
        let loud = WeakNetwork(layout: .yolov8, greatest: 40)
        #expect(try Self.recognise(loud.evidence(), asked: .yolov8).kind == .yolov8)
    }

    @Test("counts the labels of the settings before those of the file")
    func labels() throws {
        let network = WeakNetwork(layout: .yolov8Rows)
        #expect(try Self.outcome(network.evidence(labels: 80, given: 3)) == "yolov8_rows")
        #expect(throws: VisionError.labelCount(model: "reef", labels: 5, classes: 3)) {
            try Self.recognise(network.evidence(labels: 3, given: 5))
        }
        #expect(throws: VisionError.labelCount(model: "reef", labels: 5, classes: 3)) {
            try Self.recognise(network.evidence(given: 5), asked: .yolov8Rows)
        }
    }

    @Test("tries every kind of head there is")
    func order() {
        #expect(Set(HeadRecognition.order) == Set(HeadKind.allCases))
        #expect(HeadRecognition.order.count == HeadKind.allCases.count)
    }
}
