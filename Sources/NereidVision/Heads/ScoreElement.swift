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
    var isNaN: Bool { get }
    /// The rank that a score must exceed to be greater than `threshold`, which is 0 or more.
    static func rank(of threshold: Float) -> Rank
    /// Whether any of the numbers is not a number.
    static func containsNaN(_ values: Span<Self>) -> Bool
}

extension Float: ScoreElement {
    var rank: Float { self }
    var single: Float { self }
    static func rank(of threshold: Float) -> Float { threshold }

    static func containsNaN(_ values: Span<Float>) -> Bool {
        let width = 16
        let memory = values.bytes
        var found = SIMDMask<SIMD16<Int32>>(repeating: false)
        var start = 0
        while start + width <= values.count {
            // Any bits are a `Float`, so that loading them as such is safe.
            let block = unsafe memory.unsafeLoadUnaligned(
                fromByteOffset: start * MemoryLayout<Float>.stride,
                as: SIMD16<Float>.self
            )
            found .|= block .!= block
            start += width
        }
        while start < values.count {
            if values[start].isNaN { return true }
            start += 1
        }
        return any(found)
    }
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

    static func containsNaN(_ values: Span<Float16>) -> Bool {
        let width = 32
        let memory = values.bytes
        let infinity = SIMD32<UInt16>(repeating: 0x7C00)
        var found = SIMDMask<SIMD32<Int16>>(repeating: false)
        var start = 0
        while start + width <= values.count {
            // All exponent bits and one of the others are set in what is not a number (IEEE 754-2019, 3.4).
            let bits = unsafe memory.unsafeLoadUnaligned(
                fromByteOffset: start * MemoryLayout<Float16>.stride,
                as: SIMD32<UInt16>.self
            )
            found .|= bits & 0x7FFF .> infinity
            start += width
        }
        while start < values.count {
            if values[start].isNaN { return true }
            start += 1
        }
        return any(found)
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
