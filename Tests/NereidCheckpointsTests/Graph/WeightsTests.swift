// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import TestSupport
import Testing

@testable import NereidCheckpoints

/// What is folded into convolutions gives the same as computing it apart: shown with a plain convolution of nested loops.
@Suite("Folding into convolutions")
struct WeightsTests {
    /// `[channels][rows][columns]`.
    typealias Map = [[[Float]]]

    private static func map(_ channels: Int, _ height: Int, _ width: Int) -> Map {
        var generator = SeededGenerator(seed: 3)
        return (0..<channels).map { _ in
            (0..<height).map { _ in (0..<width).map { _ in Float.random(in: -1...1, using: &generator) } }
        }
    }

    private static func weights(_ shape: [Int], seed: UInt64 = 5) -> Weights {
        var generator = SeededGenerator(seed: seed)
        let count = shape.reduce(1, *)
        let values = (0..<count).map { _ in Float.random(in: -1...1, using: &generator) }
        return Weights(shape: shape, count: count) { values }
    }

    private static func apply(_ convolution: Convolution, to map: Map) throws -> Map {
        let weights = try convolution.weights.elements()
        let shape = convolution.weights.shape
        let padding = convolution.padding
        let height = (map[0].count + padding.top + padding.bottom - shape[2]) / convolution.stride.height + 1
        let width = (map[0][0].count + padding.left + padding.right - shape[3]) / convolution.stride.width + 1
        let perGroup = shape[0] / convolution.groups
        return (0..<shape[0]).map { output in
            (0..<height).map { row in
                (0..<width).map { column in
                    var sum = convolution.bias?[output] ?? 0
                    for input in 0..<shape[1] {
                        for y in 0..<shape[2] {
                            for x in 0..<shape[3] {
                                let line = row * convolution.stride.height + y - padding.top
                                let place = column * convolution.stride.width + x - padding.left
                                let channel = output / perGroup * shape[1] + input
                                guard map[channel].indices.contains(line), map[channel][line].indices.contains(place)
                                else { continue }
                                sum +=
                                    map[channel][line][place]
                                    * weights[((output * shape[1] + input) * shape[2] + y) * shape[3] + x]
                            }
                        }
                    }
                    return sum
                }
            }
        }
    }

    private static func difference(_ left: Map, _ right: Map) -> Float {
        guard left.count == right.count, left[0].count == right[0].count, left[0][0].count == right[0][0].count else {
            return .infinity
        }
        return zip(left.joined().joined(), right.joined().joined()).map { abs($0 - $1) }.max() ?? .infinity
    }

    @Test("batch normalisation")
    func normalisation() throws {
        var convolution = Convolution(weights: Self.weights([4, 3, 3, 3]), bias: [0.1, 0.2, 0.3, 0.4])
        convolution.padding = Convolution.Padding(Convolution.Extent(1))
        let scaling = ChannelScaling(factors: [2, -1, 0.5, 0], shifts: [1, 0, -2, 3])
        let map = Self.map(3, 5, 6)
        let apart = try Self.apply(convolution, to: map).enumerated().map { channel, rows in
            rows.map { $0.map { scaling.factors[channel] * $0 + scaling.shifts[channel] } }
        }
        let folded = try Self.apply(convolution.followed(by: scaling), to: map)
        #expect(Self.difference(folded, apart) < 1e-5)
    }

    @Test("the stack of pixels before YOLOv5's first convolution")
    func focus() throws {
        var stacked = Convolution(weights: Self.weights([2, 12, 3, 3]), bias: [0.5, -0.5])
        stacked.padding = Convolution.Padding(Convolution.Extent(1))
        let map = Self.map(3, 8, 6)
        let stack = [(0, 0), (1, 0), (0, 1), (1, 1)].flatMap { row, column in
            map.map { channel in
                stride(from: row, to: 8, by: 2).map { y in stride(from: column, to: 6, by: 2).map { channel[y][$0] } }
            }
        }
        var whole = stacked
        whole.weights = stacked.weights.unstacked()
        whole.stride = Convolution.Extent(2)
        whole.padding = Convolution.Padding(Convolution.Extent(2))
        #expect(whole.weights.shape == [2, 3, 6, 6])
        #expect(try Self.difference(Self.apply(whole, to: map), Self.apply(stacked, to: stack)) < 1e-5)
    }

    @Test("branches of kernels 3 and 1, and of depthwise 7 and 3", arguments: [(3, 1, 1), (7, 3, 4)])
    func branches(larger: Int, smaller: Int, groups: Int) throws {
        let convolutions = [larger, smaller].map { size in
            var convolution = Convolution(weights: Self.weights([4, 4 / groups, size, size], seed: UInt64(size)))
            convolution.padding = Convolution.Padding(Convolution.Extent(size / 2))
            convolution.groups = groups
            convolution.bias = [Float(size), 0, 1, -1]
            return convolution
        }
        let map = Self.map(4, 6, 5)
        let apart = zip(try Self.apply(convolutions[0], to: map), try Self.apply(convolutions[1], to: map)).map {
            zip($0, $1).map { zip($0, $1).map(+) }
        }
        for order in [convolutions, convolutions.reversed()] {
            let merged = try #require(order[0].merged(with: order[1]))
            #expect(try Self.difference(Self.apply(merged, to: map), apart) < 1e-5)
        }
    }

    @Test("branches that are not one convolution stay two")
    func unmergedBranches() {
        var first = Convolution(weights: Self.weights([4, 4, 3, 3]))
        first.padding = Convolution.Padding(Convolution.Extent(1))
        let pointwise = Convolution(weights: Self.weights([4, 4, 1, 1]))
        var unpadded = first
        unpadded.padding = Convolution.Padding()
        var strided = pointwise
        strided.stride = Convolution.Extent(2)
        var dilated = first
        dilated.dilation = Convolution.Extent(2)
        let wider = Convolution(weights: Self.weights([5, 4, 1, 1]))
        let even = Convolution(weights: Self.weights([4, 4, 2, 2]))
        for other in [strided, dilated, wider, even] {
            #expect(first.merged(with: other) == nil)
        }
        #expect(unpadded.merged(with: pointwise) == nil)
        #expect(first.merged(with: pointwise) != nil)
    }

    @Test("rows of a matrix")
    func rows() throws {
        let matrix = Weights(shape: [3, 2], count: 6) { [0, 1, 2, 3, 4, 5] }
        #expect(try matrix.rows(1..<3).elements() == [2, 3, 4, 5])
        #expect(matrix.rows(1..<3).shape == [2, 2])
    }
}
