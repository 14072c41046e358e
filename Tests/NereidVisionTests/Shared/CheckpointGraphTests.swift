// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NereidCheckpoints
import NereidInference
import Testing

/// The networks alone, without decoding or resizing: each checkpoint's graph gets the reference's fixed input, and every layer
/// and the raw output are compared with those of the framework.
@Suite("Graphs of checkpoints against their own frameworks", .enabled(if: SharedFolder.isThere, SharedFolder.absence))
struct CheckpointGraphTests {
    /// `fixed_input` of a reference file.
    struct Reference: Decodable {
        let fixedInput: FixedInput?
    }

    struct FixedInput: Decodable {
        let file: String
        let rawFile: String?
        let rawRowStep: Int?
        let rawColumnStep: Int?
        let rawShapeFull: [Int]?
        let layers: [Layer]?
        let probabilities: [Float]?
        let nmsFree: OneToOne?
    }

    struct OneToOne: Decodable {
        let rawFile: String
        let rawShapeFull: [Int]
    }

    /// What is known of one layer's output.
    struct Layer: Decodable {
        let i: Int
        let shape: [Int]?
        let mean: Double?
        let std: Double?
        let first: [Float]?
        let last: [Float]?
    }

    typealias Sample = CheckpointReferenceTests.Sample

    @Test(
        "give the framework's numbers, layer by layer",
        arguments: CheckpointReferenceTests.samples + CheckpointReferenceTests.classifiers
    )
    func numbers(sample: Sample) async throws {
        let reference = try SharedFolder.json(Reference.self, sample.reference)
        guard let fixed = reference.fixedInput else {
            // One classifier's reference has photos only, which CheckpointReferenceTests looks at.
            #expect(sample.checkpoint.contains("-cls"))
            return
        }
        let folder = sample.reference.split(separator: "/").dropLast().joined(separator: "/")
        let pixels = try NumpyArray(contentsOf: try SharedFolder.path("\(folder)/\(fixed.file)"))
        var input = (shape: pixels.shape, values: pixels.values.map { $0 / 255 })
        if fixed.probabilities != nil { input = Self.resized(input, height: 224, width: 224) }

        let outputs = try await run(sample, .automatic, input, layerOutputs: true)
        var compared = 0
        for layer in fixed.layers ?? [] {
            // The head itself is looked at by its raw output.
            guard let output = outputs["layer\(layer.i)"], let shape = layer.shape else { continue }
            compare(layer, shape, output, sample)
            compared += 1
        }
        #expect(compared >= 9 || (fixed.layers ?? []).isEmpty, "\(compared) layers")

        if let probabilities = fixed.probabilities {
            let output = try #require(outputs["probabilities"])
            expectEqual(output.values, probabilities, "probabilities of \(sample.checkpoint)")
        }
        if let file = fixed.rawFile {
            let output = try #require(outputs["output0"])
            #expect(output.shape == fixed.rawShapeFull)
            let expected = try NumpyArray(contentsOf: try SharedFolder.path("\(folder)/\(file)"))
            let found = Self.thinned(output, rows: fixed.rawRowStep ?? 1, columns: fixed.rawColumnStep ?? 1)
            #expect(found.count == expected.values.count)
            expectEqual(found, expected.values, "raw output of \(sample.checkpoint)")
        }
        if let oneToOne = fixed.nmsFree {
            let output = try #require(try await run(sample, .oneToOne, input, layerOutputs: false)["output0"])
            #expect(output.shape == oneToOne.rawShapeFull)
            let expected = try NumpyArray(contentsOf: try SharedFolder.path("\(folder)/\(oneToOne.rawFile)"))
            let (found, wanted) = (Self.rows(output.values, output.shape[2]), Self.rows(expected.values, output.shape[2]))
            // Rows whose scores are all but equal may change places; those with something to say do not.
            for (row, other) in zip(found, wanted) where other[4] > 0.05 {
                expectEqual(row, other, "one-to-one output of \(sample.checkpoint)")
            }
            #expect(wanted.contains { $0[4] > 0.05 })
        }
    }

    private func compare(
        _ layer: Layer,
        _ shape: [Int],
        _ output: (shape: [Int], values: [Float]),
        _ sample: Sample
    ) {
        let place = "layer \(layer.i) of \(sample.checkpoint)"
        #expect(output.shape == shape, "\(place)")
        let count = Double(output.values.count)
        let mean = output.values.reduce(0.0) { $0 + Double($1) } / count
        let variance = output.values.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / count
        if let expected = layer.mean { expectEqual([Float(mean)], [Float(expected)], "mean, \(place)") }
        if let expected = layer.std { expectEqual([Float(variance.squareRoot())], [Float(expected)], "spread, \(place)") }
        if let first = layer.first { expectEqual(Array(output.values.prefix(first.count)), first, place) }
        if let last = layer.last { expectEqual(Array(output.values.suffix(last.count)), last, place) }
    }

    /// 1e-3 of the value; what is small may differ by as much in itself, and boxes by 0.02 pixels: the reference's README.md.
    private func expectEqual(_ found: [Float], _ expected: [Float], _ place: String) {
        let misfit = zip(found, expected).first { pair in
            let allowed = max(abs(pair.1) * 1e-3, abs(pair.1) > 2 ? 0.02 : 1e-3)
            return !(abs(pair.0 - pair.1) <= allowed)
        }
        #expect(misfit == nil, "\(place)")
    }

    /// Runs the ordinary export of a checkpoint once.
    private func run(
        _ sample: Sample,
        _ head: HeadChoice,
        _ input: (shape: [Int], values: [Float]),
        layerOutputs: Bool
    ) async throws -> [String: (shape: [Int], values: [Float])] {
        let graph = try CheckpointConverter.convert(
            Checkpoint(path: try SharedFolder.path(sample.checkpoint)),
            options: ConversionOptions(ending: .decoded, head: head, layerOutputs: layerOutputs)
        )
        let session = try await ONNXRuntimeEngine().makeSession(
            GraphSource(name: sample.checkpoint, content: .bytes(try graph.bytes())),
            options: SessionOptions(device: .cpu, instances: 1, threads: 2)
        )
        let run = try await session.run([Tensor(input.values, shape: input.shape)])
        await session.shutDown()
        var outputs: [String: (shape: [Int], values: [Float])] = [:]
        for (description, tensor) in zip(session.graph.outputs, run.outputs) {
            outputs[description.name] = (tensor.shape, try tensor.withElements(of: Float.self) { span in span.indices.map { span[$0] } })
        }
        return outputs
    }

    /// Every n-th row and column of a `[1, rows, columns]` output.
    private static func thinned(_ output: (shape: [Int], values: [Float]), rows: Int, columns: Int) -> [Float] {
        let width = output.shape[2]
        return stride(from: 0, to: output.shape[1], by: rows).flatMap { row in
            stride(from: 0, to: width, by: columns).map { output.values[row * width + $0] }
        }
    }

    private static func rows(_ values: [Float], _ width: Int) -> [[Float]] {
        stride(from: 0, to: values.count, by: width).map { Array(values[$0..<$0 + width]) }
    }

    /// Bilinear, corners not aligned, no antialiasing: how the reference fits the fixed input to a classifier.
    private static func resized(
        _ input: (shape: [Int], values: [Float]),
        height: Int,
        width: Int
    ) -> (shape: [Int], values: [Float]) {
        let (rows, columns) = (input.shape[2], input.shape[3])
        func taps(_ place: Int, _ from: Int, _ to: Int) -> (Int, Int, Float) {
            let source = max((Float(place) + 0.5) * Float(from) / Float(to) - 0.5, 0)
            let low = min(Int(source), from - 1)
            return (low, min(low + 1, from - 1), source - Float(low))
        }
        var values: [Float] = []
        values.reserveCapacity(3 * height * width)
        for channel in 0..<3 {
            let plane = channel * rows * columns
            for y in 0..<height {
                let (top, bottom, down) = taps(y, rows, height)
                for x in 0..<width {
                    let (left, right, across) = taps(x, columns, width)
                    let upper =
                        input.values[plane + top * columns + left] * (1 - across)
                        + input.values[plane + top * columns + right] * across
                    let lower =
                        input.values[plane + bottom * columns + left] * (1 - across)
                        + input.values[plane + bottom * columns + right] * across
                    values.append(upper * (1 - down) + lower * down)
                }
            }
        }
        return ([1, 3, height, width], values)
    }
}
