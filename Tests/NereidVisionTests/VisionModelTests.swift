// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging
import Testing

@testable import NereidVision

@Suite("Vision model")
struct VisionModelTests {
    static let detectors = [
        ("blocks-v5", HeadKind.yolov5), ("blocks-v8", .yolov8), ("blocks-end2end", .endToEnd),
        ("blocks-yolox", .yolox), ("blocks-fixed-v8", .yolov8), ("blocks-uint8-v8", .yolov8),
    ]
    static let scene: Set<Block> = [
        Block(.red, column: 2, row: 1), Block(.green, column: 4, row: 3), Block(.blue, column: 9, row: 9),
        Block(.green, column: 0, row: 0),
    ]

    @Test("finds exactly the painted blocks", arguments: detectors)
    func blocks(name: String, kind: HeadKind) async throws {
        let model = try await Fixtures.model(name)
        #expect(model.headKind == kind)
        #expect(model.labels.names == ["red", "green", "blue"])
        let prediction = try await model.predict([.blocks(Array(Self.scene))])[0]
        #expect(prediction.detections.blocks() == Set(Self.scene.map(Optional.some)))
        #expect(prediction.detections.count == Self.scene.count)
        #expect(prediction.detections.allSatisfy { abs($0.score - 1) < 0.001 })
        #expect(prediction.picture == PixelSize(width: 160, height: 160))
    }

    @Test("finds nothing where nothing is", arguments: detectors)
    func nothing(name: String, kind: HeadKind) async throws {
        let prediction = try await Fixtures.model(name).predict([.blocks([])])[0]
        #expect(prediction.detections.isEmpty)
    }

    @Test("counts boxes in pixels of the picture, whatever its size", arguments: detectors)
    func otherSizes(name: String, kind: HeadKind) async throws {
        let model = try await Fixtures.model(name)
        // Half of each is 160 pixels long, so that a cell of 32 becomes one of 16.
        for (width, height) in [(320, 192), (192, 320), (320, 320)] {
            let corner = (column: width / 32 - 1, row: height / 32 - 1)
            let blocks = [
                Block(.blue, column: 0, row: 0), Block(.red, column: 3, row: 2),
                Block(.green, column: corner.column, row: corner.row),
            ]
            let picture = try Picture.blocks(blocks, width: width, height: height, side: 32)
            let prediction = try await model.predict([picture])[0]
            #expect(prediction.detections.blocks(side: 32) == Set(blocks.map(Optional.some)), "\(width)×\(height)")
            #expect(prediction.picture == PixelSize(width: width, height: height))
        }
    }

    @Test("answers many pictures in their order, alike in size or not", arguments: [1, 3, 8])
    func batches(maxBatch: Int) async throws {
        let model = try await Fixtures.model("blocks-v8") { $0.maxBatch = maxBatch }
        #expect(model.maxBatch == maxBatch)
        let blocks = (0..<7).map { Block(.red, column: $0, row: 1) }
        let pictures = try blocks.enumerated().map { index, block in
            try Picture.blocks([block], width: 160, height: index.isMultiple(of: 2) ? 160 : 96)
        }
        let predictions = try await model.predict(pictures)
        #expect(predictions.map { $0.detections.blocks() } == blocks.map { [$0] })
        #expect(predictions.map(\.picture) == pictures.map(\.size))
        #expect(try await model.predict([Picture]()).isEmpty)
    }

    @Test("applies each request's own options in one batch")
    func ownOptions() async throws {
        let model = try await Fixtures.model("blocks-v8") { $0.maxBatch = 4 }
        let picture = try Picture.blocks(Array(Self.scene))
        let predictions = try await model.predict([
            (picture, PredictionOptions(classes: [1])),
            (picture, PredictionOptions(maxDetections: 1)),
            (picture, PredictionOptions()),
        ])
        #expect(predictions.map(\.detections.count) == [2, 1, 4])
    }

    @Test("gives detections best first and honours what a request asks", arguments: ["blocks-v8", "blocks-end2end"])
    func options(name: String) async throws {
        let model = try await Fixtures.model(name)
        let blocks = [
            Block(.blue, column: 1, row: 1, brightness: 51), Block(.red, column: 5, row: 2, brightness: 102),
            Block(.green, column: 2, row: 5),
        ]
        let picture = try Picture.blocks(blocks)
        func found(_ options: PredictionOptions) async throws -> [Block?] {
            try await model.predict([picture], options: options)[0].detections.map { Block($0, side: 16) }
        }
        #expect(try await found(.init()) == [blocks[2], blocks[1], blocks[0]])
        #expect(try await found(.init(confidence: 0.5)) == [blocks[2], blocks[1]])
        #expect(try await found(.init(confidence: 0.81)) == [blocks[2]])
        #expect(try await found(.init(maxDetections: 2)) == [blocks[2], blocks[1]])
        #expect(try await found(.init(classes: [2, 0])) == [blocks[1], blocks[0]])
        #expect(try await found(.init(classes: [])) == [])
    }

    @Test("uses the defaults of its configuration where a request says nothing")
    func defaults() async throws {
        let model = try await Fixtures.model("blocks-v8") {
            $0.defaults.confidence = 0.5
            $0.defaults.maxDetections = 1
        }
        let picture = try Picture.blocks([
            Block(.blue, column: 1, row: 1, brightness: 51), Block(.red, column: 5, row: 2),
            Block(.green, column: 6, row: 2),
        ])
        #expect(try await model.predict([picture])[0].detections.count == 1)
        let asked = PredictionOptions(confidence: 0.1, maxDetections: 10)
        #expect(try await model.predict([picture], options: asked)[0].detections.count == 3)
    }

    @Test("calls classes as it is told")
    func labels() async throws {
        let picture = try Picture.blocks(Array(Self.scene))
        let renamed = try await Fixtures.model("blocks-v8") { $0.rename = ["red": "urchin", "blue": "urchin"] }
        #expect(Set(try await renamed.predict([picture])[0].detections.map(\.label)) == ["urchin", "green"])
        #expect(try renamed.classIDs(named: ["urchin"]) == [0, 2])
        let given = try await Fixtures.model("blocks-v8") { $0.labels = ["a", "b", "c"] }
        #expect(given.labels.names == ["a", "b", "c"])
    }

    @Test("rounds boxes to whole pixels if told to")
    func rounding() async throws {
        let model = try await Fixtures.model("blocks-v8") { $0.roundsBoxes = true }
        // Cells of 16 input pixels are 9.6 pixels of this picture.
        let picture = try Picture.blocks([Block(.red, column: 1, row: 1)], width: 96, height: 96, side: 10)
        let found = try await model.predict([picture], options: .init(confidence: 0.05))[0].detections
        try #require(!found.isEmpty)
        for detection in found {
            for edge in [detection.box.x1, detection.box.y1, detection.box.x2, detection.box.y2] {
                #expect(edge == edge.rounded())
            }
        }
    }

    @Test("finds classes by name and by number, and says which there are")
    func classIDs() async throws {
        let model = try await Fixtures.model("blocks-v8")
        #expect(try model.classIDs(named: ["red", "2"]) == [0, 2])
        let classes = ["red", "green", "blue"]
        for name in ["urchin", "3", "-1", ""] {
            #expect(throws: VisionError.unknownClass(model: "blocks-v8", name: name, classes: classes)) {
                try model.classIDs(named: ["red", name])
            }
        }
    }

    @Test("answers from many tasks at once as it answers one")
    func concurrency() async throws {
        let model = try await Fixtures.model("blocks-v8")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for column in 0..<10 {
                group.addTask {
                    let block = Block(.green, column: column, row: 9 - column)
                    let prediction = try await model.predict([.blocks([block])])[0]
                    #expect(prediction.detections.blocks() == [block])
                }
            }
            try await group.waitForAll()
        }
    }

    @Test("stops when its task is cancelled")
    func cancellation() async throws {
        let model = try await Fixtures.model("slow")
        let picture = try Picture.blocks([])
        let task = Task { try await model.predict([picture]) }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }
}
