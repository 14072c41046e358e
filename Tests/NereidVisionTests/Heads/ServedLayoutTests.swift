// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging
import Testing

@testable import NereidVision

/// The fixtures in layouts that differ from the frameworks' usual exports, end to end.
@Suite("Other layouts")
struct ServedLayoutTests {
    struct Sample: Sendable, CustomTestStringConvertible {
        let name: String
        let kind: HeadKind
        var fit = Letterbox.Fit.square
        var channels = PixelEncoding.Channels.rgb
        var testDescription: String { name }
    }

    static let fixtures = [
        Sample(name: "blocks-yolox-decoded", kind: .yoloxDecoded, channels: .bgr),
        Sample(name: "blocks-v8-rows", kind: .yolov8Rows), Sample(name: "blocks-v8-fractions", kind: .yolov8),
        Sample(name: "blocks-deepstream", kind: .deepStream), Sample(name: "blocks-v7-end2end", kind: .yolov7EndToEnd),
        Sample(name: "blocks-rtdetr", kind: .rtdetr, fit: .stretch),
    ]

    private static func model(
        _ name: String,
        _ configure: (inout VisionModelConfiguration) -> Void = { _ in }
    ) async throws -> VisionModel {
        try await Fixtures.model(name) {
            $0.inputSize = nil
            configure(&$0)
        }
    }

    @Test("are recognised, get pixels as their family does, and find exactly the painted blocks", arguments: fixtures)
    func blocks(sample: Sample) async throws {
        let model = try await Self.model(sample.name)
        #expect(model.headKind == sample.kind)
        #expect((model.input.fit, model.input.encoding.channels) == (sample.fit, sample.channels))
        let named = try await Self.model(sample.name) { $0.labels = ["red", "green", "blue"] }
        #expect(named.headKind == sample.kind)
        let scene: [Block] = [
            Block(.red, column: 2, row: 1), Block(.green, column: 4, row: 3), Block(.blue, column: 9, row: 9),
        ]
        for model in [model, named] {
            let found = try await model.predict([.blocks(scene)])[0].detections
            #expect(found.count == 3)
            for block in scene {
                #expect(
                    found.contains {
                        $0.classID == block.colour.rawValue && $0.box.isNear(block.box(side: 16), within: 0.01)
                            && abs($0.score - 1) < 0.01
                    },
                    "\(block)"
                )
            }
            #expect(try await model.predict([.blocks([])])[0].detections.isEmpty)
        }
        #expect(try await named.predict([.blocks(scene)])[0].detections.blocks() == Set(scene.map(Optional.some)))
    }

    @Test("can be named in the settings", arguments: fixtures)
    func asked(sample: Sample) async throws {
        let model = try await Self.model(sample.name) { $0.head = sample.kind }
        #expect(model.headReason.hasPrefix("the settings name it; "))
        #expect(
            try await model.predict([.blocks([Block(.green, column: 4, row: 3)])])[0].detections.map(\.classID) == [1]
        )
    }

    @Test("stretch a picture for RT-DETR and scale its fractions back")
    func stretched() async throws {
        let block = Block(.blue, column: 3, row: 2)
        let picture = try Picture.blocks([block], width: 320, height: 320, side: 32)
        let found = try await Self.model("blocks-rtdetr").predict([picture])[0].detections
        #expect(found.count == 1)
        #expect(found[0].box.isNear(block.box(side: 32), within: 0.01))
    }

    @Test("the loading picture is the same for every layout and kind of number, and has every colour")
    func loadingPicture() throws {
        let size = PixelSize(width: 96, height: 64)
        let pixels = LoadingPicture.pixels(size)
        #expect(pixels == LoadingPicture.pixels(size))
        let colours = Set(stride(from: 0, to: pixels.count, by: 3).map { Array(pixels[$0..<$0 + 3]) })
        #expect(colours.isSuperset(of: [[255, 0, 0], [0, 255, 0], [0, 0, 255]]))
        #expect(colours.count > 500)
    }
}
