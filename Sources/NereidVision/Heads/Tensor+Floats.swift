// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidInference

extension Tensor {
    /// One picture's part of a batch, as single-precision numbers.
    ///
    /// - Throws: ``HeadMisfit`` when the tensor does not hold floating-point numbers or has no such picture.
    func floats(picture index: Int) throws -> [Float] {
        try withFloats(picture: index) { values in (0..<values.count).map { values[$0] } }
    }

    /// Lends one picture's part of a batch as single-precision numbers; half-precision ones are converted.
    ///
    /// - Throws: as ``floats(picture:)``.
    func withFloats<Result>(picture index: Int, _ body: (Span<Float>) throws -> Result) throws -> Result {
        guard let pictures = shape.first, index < pictures else {
            throw HeadMisfit(reason: "an output of shape \(shape) has no picture \(index)")
        }
        let extent = count / pictures
        let part = index * extent..<(index + 1) * extent
        switch elementType {
        case .float32:
            return try withElements(of: Float.self) { try body($0.extracting(part)) }
        #if !(os(macOS) && arch(x86_64))
        case .float16:
            let values = try withElements(of: Float16.self) { values in part.map { Float(values[$0]) } }
            return try body(values.span)
        #endif
        default:
            throw HeadMisfit(reason: "an output holds \(elementType.rawValue), not floating point")
        }
    }

    /// Single numbers by their index in the whole tensor.
    ///
    /// - Throws: ``HeadMisfit`` when the tensor does not hold floating-point numbers or an index lies outside.
    func floats(at indices: [Int]) throws -> [Float] {
        guard indices.allSatisfy({ (0..<count).contains($0) }) else {
            throw HeadMisfit(reason: "an output of shape \(shape) is shorter than its head takes it for")
        }
        switch elementType {
        case .float32:
            return try withElements(of: Float.self) { values in indices.map { values[$0] } }
        #if !(os(macOS) && arch(x86_64))
        case .float16:
            return try withElements(of: Float16.self) { values in indices.map { Float(values[$0]) } }
        #endif
        default:
            throw HeadMisfit(reason: "an output holds \(elementType.rawValue), not floating point")
        }
    }
}
