// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging
import Testing

@testable import NereidVision

@Suite("Head recognition")
struct HeadRecognitionTests {
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
        Sample("YOLOv5, one class", .init([1, 25200, 6]), .yolov5, classes: 1),
        Sample("YOLOv5, one class, few rows", .init([1, 567, 6], input: square(96)), .yolov5, classes: 1),
        Sample("YOLOv5, one label, few rows", .init([1, 567, 6], input: square(96), labels: 1), .yolov5, classes: 1),
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
        Sample("YOLO26 with masks", .init([1, 300, 38], [1, 32, 160, 160]), .endToEnd, classes: 0),
        Sample("YOLOX", .init([1, 3549, 85], input: square(416)), .yolox, classes: 80),
        Sample("YOLOX, labelled", .init([1, 3549, 85], input: square(416), labels: 80), .yolox, classes: 80),
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
        Sample("YOLOv5's maps", MapSample.yolov5.evidence, .yolov5Maps, classes: 2),
        Sample("YOLOv5's maps with masks", MapSample.yolov5Masks.evidence, .yolov5Maps, classes: 2),
        Sample("YOLOv8's maps", MapSample.yolov8.evidence, .yolov8Maps, classes: 3),
        Sample("YOLOv8's maps, turned", MapSample.yolov8Turned.evidence, .yolov8Maps, classes: 3),
    ]

    @Test("knows the exports of the frameworks by their shapes", arguments: samples)
    func recognised(sample: Sample) throws {
        let (kind, head) = try HeadRecognition.head(for: sample.evidence, asked: nil, model: "reef")
        #expect(kind == sample.kind)
        #expect(head.classCount == sample.classes)
        #expect(!head.reason.isEmpty)
        #expect(throws: Never.self) {
            try HeadRecognition.head(for: sample.evidence, asked: sample.kind, model: "reef")
        }
    }

    @Test(
        "says what it saw and what it tried when it knows nothing",
        arguments: [
            HeadEvidence([1, 1000], labels: 10), HeadEvidence([1, 21, 257, 257]), HeadEvidence([1, 3, 7, 7, 7]),
            HeadEvidence([1, 84, 8400], labels: 20),
        ]
    )
    func unknown(evidence: HeadEvidence) throws {
        let error = #expect(throws: VisionError.self) {
            try HeadRecognition.head(for: evidence, asked: nil, model: "reef")
        }
        let text = try #require(error?.description)
        #expect(text.contains("‘reef’"))
        #expect(text.contains("output0 \(evidence.outputs[0].shape)"))
        #expect(text.contains("head: …"))
        for kind in HeadKind.allCases { #expect(text.contains("\(kind.rawValue): ")) }
    }

    @Test("believes the metadata, and says what is wrong with it")
    func metadata() throws {
        // The shape of an ordinary export under the name of another layout.
        let evidence = HeadEvidence([1, 84, 8400], metadata: ["nereid.layout": "yolov8.maps"])
        let error = #expect(throws: VisionError.self) {
            try HeadRecognition.head(for: evidence, asked: nil, model: "reef")
        }
        let text = try #require(error?.description)
        #expect(text.contains("yolov8_maps: the metadata's ‘nereid.strides’ is not a list of strides"))
        #expect(!text.contains("ssd: "))
        let decoded = HeadEvidence([1, 84, 8400], metadata: ["nereid.layout": "decoded"])
        #expect(try HeadRecognition.head(for: decoded, asked: nil, model: "reef").kind == .yolov8)
    }

    @Test("says why the head that the settings ask for does not fit")
    func asked() {
        let evidence = HeadEvidence([1, 25200, 85])
        let error = #expect(throws: VisionError.self) {
            try HeadRecognition.head(for: evidence, asked: .yolox, model: "reef")
        }
        #expect(
            error?.description == """
                model ‘reef’: its settings ask for the head ‘yolox’, which does not fit its outputs \
                output0 [1, 25200, 85]: 25200 rows are not one for each cell of 640×640. \
                Remove ‘head’ from the settings to have it recognised, or correct it
                """
        )
    }

    @Test("tries every kind of head there is")
    func order() {
        #expect(Set(HeadRecognition.order) == Set(HeadKind.allCases))
        #expect(HeadRecognition.order.count == HeadKind.allCases.count)
    }
}
