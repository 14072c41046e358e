// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidCheckpoints
import NereidImaging
import NereidInference
import Testing

@testable import NereidVision

/// The networks alone: what they compute on a fixed input, number by number.
@Suite("Detectron2's networks against Detectron2", .enabled(if: SharedFolder.isThere, SharedFolder.absence))
struct Detectron2GraphTests {
    @Test("give the features of the backbone", arguments: Detectron2Sample.all)
    func features(sample: Detectron2Sample) async throws {
        let reference = try sample.results()
        let graph = try sample.converted(featureOutputs: true).network
        let session = try await Fixtures.session(graph.bytes(), name: sample.weights)
        let outputs = try await session.run([try Self.input(reference)]).outputs
        for (name, expected) in reference.fixedInput.features {
            let place = try #require(session.graph.outputs.firstIndex { $0.name == name })
            #expect(outputs[place].shape == expected.shape)
            let values = try outputs[place].floats(picture: 0)
            let mean = values.reduce(0) { $0 + Double($1) } / Double(values.count)
            // Over one less than their number, as PyTorch has it.
            let spread =
                (values.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / Double(values.count - 1))
                .squareRoot()
            #expect(Self.isClose([Float(mean), Float(spread)], [expected.mean, expected.std]), "\(name)")
            #expect(Self.isClose(values.prefix(expected.first.count), expected.first), "\(name)")
            #expect(Self.isClose(values.suffix(expected.last.count), expected.last), "\(name)")
        }
        #expect(reference.fixedInput.features.count >= 5)
        await session.shutDown()
    }

    @Test("give the raw outputs of RetinaNet", arguments: [Detectron2Sample.retinaNet, .legacy])
    func retinaNet(sample: Detectron2Sample) async throws {
        let reference = try sample.results()
        let expected = try NumpyArray(
            contentsOf: SharedFolder.path("reference/detectron2/\(reference.fixedInput.rawFile)")
        )
        let step = try #require(reference.fixedInput.rawRowStep)
        let session = try await Fixtures.session(sample.converted().network.bytes(), name: sample.weights)
        let outputs = try await session.run([try Self.input(reference)]).outputs
        let evidence = HeadEvidence(
            outputs: zip(session.graph.outputs, outputs).map { .init(name: $0.name, shape: $1.shape) },
            input: PixelSize(width: 320, height: 256),
            labelCount: nil,
            metadata: session.graph.metadata
        )
        let maps = try evidence.anchorMaps(
            scores: "classes",
            deltas: "deltas",
            weights: HeadEvidence.Key.boxWeights,
            classCount: nil
        )
        var rows: [[Float]] = []
        for level in try MapLevel.levels(of: maps.scores, strides: maps.strides, in: outputs) {
            let classes = try outputs[maps.scores[level.index]].floats(picture: 0)
            let deltas = try outputs[maps.deltas[level.index]].floats(picture: 0)
            for cell in 0..<level.cells {
                for anchor in 0..<9 {
                    // Deltas of zero leave the anchor as it is.
                    let find = AnchorMaps.Find(level: level.index, cell: cell, anchor: anchor, classID: 0, logit: 0)
                    let box = maps.anchor(find, level, maps.anchors[level.index])
                    let four = (0..<4).map { deltas[(anchor * 4 + $0) * level.cells + cell] }
                    let scores = (0..<20).map { classes[(anchor * 20 + $0) * level.cells + cell] }
                    rows.append([box.x1, box.y1, box.x2, box.y2] + four + scores)
                }
            }
        }
        #expect(rows.count == reference.fixedInput.rawRowsFull)
        let own = stride(from: 0, to: rows.count, by: step).flatMap { rows[$0] }
        #expect(Self.isClose(own, expected.values))
        await session.shutDown()
    }

    @Test(
        "give proposals, and classes and boxes of the first twenty",
        arguments: [Detectron2Sample.fasterRCNN, .maskRCNN]
    )
    func regions(sample: Detectron2Sample) async throws {
        let reference = try sample.results()
        let raw = try NumpyArray(contentsOf: SharedFolder.path("reference/detectron2/\(reference.fixedInput.rawFile)"))
        let model = try await sample.model()
        let stages = try #require(model.stages)
        let outputs = try await model.session.run([try Self.input(reference)]).outputs
        let size = PixelSize(width: 320, height: 256)
        let proposals = try stages.head.proposals(in: outputs, picture: 0, content: size)
        let expected = try #require(reference.fixedInput.proposals)
        #expect(proposals.count == expected.n)
        for (box, numbers) in zip(proposals, expected.first) {
            #expect(box.isNear(Box(edges: numbers), within: 0.02), "\(box), expected \(numbers)")
        }
        let first = Array(proposals.prefix(raw.shape[0]))
        let answers = try await stages.classify(first.map { (0, $0) }, outputs)
        let classes = try answers.run.outputs[0].floats(at: Array(0..<answers.run.outputs[0].count))
        let deltas = try answers.run.outputs[1].floats(at: Array(0..<answers.run.outputs[1].count))
        let (width, boxes) = (model.labels.count + 1, model.labels.count * 4)
        let own = first.enumerated().flatMap { index, box in
            let row = answers.rows[index]
            return [box.x1, box.y1, box.x2, box.y2] + classes[row * width..<(row + 1) * width]
                + deltas[row * boxes..<(row + 1) * boxes]
        }
        #expect(Self.isClose(own, raw.values))
        await model.shutDown()
    }

    @Test("of the older file format are the same, bit by bit")
    func legacy() throws {
        let (new, old) = (try Detectron2Sample.retinaNet.converted(), try Detectron2Sample.legacy.converted())
        let (newGraph, oldGraph) = (new.network.description, old.network.description)
        #expect(newGraph.outputs == oldGraph.outputs)
        let source = "nereid.source"
        #expect(newGraph.metadata.filter { $0.key != source } == oldGraph.metadata.filter { $0.key != source })
        // The hash of the file stands in the metadata, in front of everything else; the rest is graph and weights.
        let (newBytes, oldBytes) = (try new.network.bytes(), try old.network.bytes())
        #expect(newBytes.count == oldBytes.count)
        let differing = zip(newBytes, oldBytes).count { $0 != $1 }
        #expect(differing <= 64)
    }

    @Test("tell what is curious about the older server's configuration")
    func warnings() throws {
        let warnings = try Detectron2Sample.retinaNet.converted().warnings
        #expect(warnings.contains { $0.contains("‘MODEL.RESNETS’ stands twice") })
        #expect(try Detectron2Sample.maskRCNN.converted().warnings.isEmpty)
    }

    /// The input that the reference was made with: pixels less the mean, divided by the deviation.
    private static func input(_ reference: Detectron2Reference) throws -> Tensor {
        let picture = try NumpyArray(contentsOf: SharedFolder.path("reference/detectron2/\(reference.fixedInput.file)"))
        let area = picture.shape[1] * picture.shape[2]
        let values = picture.values.enumerated().map { index, pixel in
            (pixel - reference.settings.pixelMean[index / area]) / reference.settings.pixelStd[index / area]
        }
        return try Tensor(values, shape: [1] + picture.shape)
    }

    /// Whether numbers are equal but for a thousandth, of themselves or of 1.
    private static func isClose(
        _ own: some Collection<Float>,
        _ expected: [Float],
        within tolerance: Float = 1e-3
    ) -> Bool {
        own.count == expected.count
            && zip(own, expected).allSatisfy { abs($0 - $1) <= tolerance * max(abs($1), 1) }
    }
}
