// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation

/// The logistic function, from logits to probabilities.
func sigmoid(_ logit: Float) -> Float { 1 / (1 + exp(-logit)) }

/// Probabilities of logits of which one is the right one.
func softmax(_ logits: [Float]) -> [Float] {
    let most = logits.max() ?? 0
    let weights = logits.map { exp($0 - most) }
    let sum = weights.reduce(0, +)
    return weights.map { $0 / sum }
}

/// Where logits begin whose probability may be greater than a threshold of 0…1: the threshold's own logit, and a little
/// less, so that rounding loses none. What lies above is to be compared again as a probability.
func logitThreshold(_ probability: Float) -> Float {
    guard probability > 0 else { return -.infinity }
    guard probability < 1 else { return .greatestFiniteMagnitude }
    let logit = Float(log(Double(probability) / (1 - Double(probability))))
    return logit - max(abs(logit), 1) * 1e-3
}

extension Span<Float> {
    /// Calls `body` with the index of every number above a threshold, in order.
    ///
    /// Sixteen are compared at a time: of hundreds of thousands of logits, a few dozen pass.
    func forEachIndex(above threshold: Float, _ body: (Int) -> Void) {
        let width = 16
        let wide = SIMD16<Float>(repeating: threshold)
        let memory = bytes
        var start = 0
        while start + width <= count {
            // Any bits are a `Float`, so that loading them as such is safe.
            let block = unsafe memory.unsafeLoadUnaligned(
                fromByteOffset: start * MemoryLayout<Float>.stride,
                as: SIMD16<Float>.self
            )
            if any(block .> wide) {
                for lane in 0..<width where block[lane] > threshold { body(start + lane) }
            }
            start += width
        }
        while start < count {
            if self[start] > threshold { body(start) }
            start += 1
        }
    }
}
