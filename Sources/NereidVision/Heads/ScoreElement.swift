// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging
import NereidInference

/// A floating-point output value that can be compared with a threshold without being converted.
///
/// A head looks at hundreds of thousands of scores for two dozen objects. A half-precision score is compared as the integer
/// of its bits, which for numbers from 0 upwards has the same order (IEEE 754-2019, 3.4) and for negative ones stays below
/// zero, so that only what passes is ever widened.
protocol ScoreElement: TensorElement {
    associatedtype Rank: Comparable
    var rank: Rank { get }
    var single: Float { get }
    /// The rank that a score must exceed to be greater than `threshold`, which is 0 or more.
    static func rank(of threshold: Float) -> Rank
}

extension Float: ScoreElement {
    var rank: Float { self }
    var single: Float { self }
    static func rank(of threshold: Float) -> Float { threshold }
}

#if !(os(macOS) && arch(x86_64))
extension Float16: ScoreElement {
    var rank: Int16 { Int16(bitPattern: bitPattern) }
    var single: Float { Float(self) }

    static func rank(of threshold: Float) -> Int16 {
        // Rounded down, so that no score above the threshold is lost; the exact comparison follows on what passes.
        let nearest = Float16(threshold)
        return Int16(bitPattern: (Float(nearest) > threshold ? nearest.nextDown : nearest).bitPattern)
    }
}
#endif

/// A head that reads one output of floating-point values.
protocol SingleOutputHead: Head {
    /// The shape of one picture's part of the output for this input size, or the reason why the output can't be its.
    func read<Element: ScoreElement>(
        _ values: Span<Element>,
        shape: [Int],
        input: PixelSize,
        filter: CandidateFilter
    ) throws(HeadMisfit) -> [Candidate]

    /// Where in one picture's part of the output a value of ``Head/extra`` stands. Asked only of heads that have one.
    func indexOfExtra(_ value: Int, place: Int, shape: [Int]) -> Int

    /// Where in that part a number stands that those values are multiplied by; `nil`: nowhere.
    func indexOfWeight(place: Int, shape: [Int]) -> Int?
}

extension SingleOutputHead {
    func indexOfExtra(_ value: Int, place: Int, shape: [Int]) -> Int { 0 }

    func indexOfWeight(place: Int, shape: [Int]) -> Int? { nil }

    func extras(of candidate: Candidate, in outputs: [Tensor], picture index: Int, input: PixelSize) throws -> [Float] {
        guard let extra, let output = outputs.first else { return [] }
        let shape = Array(output.shape.dropFirst())
        let start = index * shape[0] * shape[1]
        let values = try output.floats(
            at: (0..<extra.valueCount).map { start + indexOfExtra($0, place: candidate.place, shape: shape) }
        )
        guard let index = indexOfWeight(place: candidate.place, shape: shape) else { return values }
        let weight = try output.floats(at: [start + index])[0]
        return values.map { $0 * weight }
    }

    func candidates(in outputs: [Tensor], picture index: Int, input: PixelSize, filter: CandidateFilter)
        throws -> [Candidate]
    {
        guard let output = outputs.first, output.shape.count == 3, output.shape[0] > index else {
            throw HeadMisfit(reason: "the first output is \(outputs.first?.shape ?? []), not one row a picture")
        }
        let shape = Array(output.shape.dropFirst())
        let extent = shape[0] * shape[1]
        let part = index * extent..<(index + 1) * extent
        return switch output.elementType {
        case .float32:
            try output.withElements(of: Float.self) {
                try read($0.extracting(part), shape: shape, input: input, filter: filter)
            }
        #if !(os(macOS) && arch(x86_64))
        case .float16:
            try output.withElements(of: Float16.self) {
                try read($0.extracting(part), shape: shape, input: input, filter: filter)
            }
        #endif
        default: throw HeadMisfit(reason: "the first output holds \(output.elementType.rawValue), not floating point")
        }
    }
}
