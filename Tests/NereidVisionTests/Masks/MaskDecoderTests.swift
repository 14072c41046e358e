// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NereidImaging
import TestSupport
import Testing

@testable import NereidVision

@Suite("Mask decoder")
struct MaskDecoderTests {
    struct Sample: Sendable {
        var rule: MaskRule
        var box: Box
        var picture = PixelSize(width: 64, height: 48)
    }

    static let boxes = [
        Box(x1: 7.3, y1: 5.1, x2: 40.2, y2: 33.7), Box(x1: -20, y1: -9, x2: 90, y2: 90),
        Box(x1: 0, y1: 0, x2: 64, y2: 48), Box(x1: 30, y1: 20, x2: 31, y2: 21), Box(x1: 50, y1: 40, x2: 20, y2: 10),
        Box(x1: 100, y1: 100, x2: 120, y2: 120),
    ]
    static let samples = [MaskRule.sigmoidThenEnlarge, .enlargeLogits].flatMap { rule in
        boxes.flatMap { box in
            [
                Sample(rule: rule, box: box),
                // Taller than the input, and padded at the sides.
                Sample(rule: rule, box: box, picture: PixelSize(width: 90, height: 144)),
            ]
        }
    }
    static let size = PixelSize(width: 16, height: 12)
    static let input = PixelSize(width: 64, height: 48)

    @Test("marks what the framework's formula marks, pixel by pixel", arguments: samples)
    func formula(sample: Sample) throws {
        var generator = SeededGenerator(seed: 5)
        let count = 3
        let prototypes = (0..<count * 16 * 12).map { _ in Float.random(in: -1...1, using: &generator) }
        let coefficients: [Float] = [0.7, -1.1, 0.4]
        let letterbox = Letterbox(picture: sample.picture, target: Self.input, fit: .square)
        let decoder = MaskDecoder(
            size: Self.size,
            count: count,
            rule: sample.rule,
            letterbox: letterbox
        )
        let mask = try decoder.mask(coefficients, prototypes.span, box: sample.box)
        let plane = 16 * 12
        var sum = [Float](repeating: 0, count: plane)
        for (index, coefficient) in coefficients.enumerated() {
            for place in 0..<plane { sum[place] += coefficient * prototypes[index * plane + place] }
        }
        // YOLOv5 squashes, cuts the prototypes and enlarges; Ultralytics enlarges and cuts the picture's pixels.
        let cutsFirst = sample.rule == .sigmoidThenEnlarge
        if cutsFirst { sum = sum.map { 1 / (1 + exp(-$0)) } }
        func covers(_ x: Float, _ y: Float, _ scale: Float) -> Bool {
            let box = sample.box
            return x >= box.x1 / scale && x < box.x2 / scale && y >= box.y1 / scale && y < box.y2 / scale
        }
        func value(_ x: Int, _ y: Int) -> Float { !cutsFirst || covers(Float(x), Float(y), 4) ? sum[y * 16 + x] : 0 }
        for y in 0..<sample.picture.height {
            for x in 0..<sample.picture.width {
                let place = (
                    x: min(max(letterbox.inputX(Float(x) + 0.5) / 4 - 0.5, 0), 15),
                    y: min(max(letterbox.inputY(Float(y) + 0.5) / 4 - 0.5, 0), 11)
                )
                let (x0, y0) = (Int(place.x), Int(place.y))
                let (x1, y1) = (min(x0 + 1, 15), min(y0 + 1, 11))
                let part = (x: place.x - Float(x0), y: place.y - Float(y0))
                let upper = value(x0, y0) * (1 - part.x) + value(x1, y0) * part.x
                let lower = value(x0, y1) * (1 - part.x) + value(x1, y1) * part.x
                let isInBox =
                    Float(x) >= letterbox.pictureX(sample.box.x1) && Float(x) < letterbox.pictureX(sample.box.x2)
                    && Float(y) >= letterbox.pictureY(sample.box.y1) && Float(y) < letterbox.pictureY(sample.box.y2)
                let isCut = !cutsFirst && !isInBox
                let mixed = isCut ? 0 : upper * (1 - part.y) + lower * part.y
                // At the threshold itself the order of the additions decides.
                if abs(mixed - sample.rule.threshold) > 1e-5 {
                    #expect(mask.contains(x: x, y: y) == (mixed > sample.rule.threshold), "(\(x), \(y))")
                } else if mixed == 0 {
                    #expect(!mask.contains(x: x, y: y))
                }
            }
        }
    }

    @Test("marks nothing for numbers that are none")
    func notANumber() throws {
        let letterbox = Letterbox(picture: Self.input, target: Self.input, fit: .square)
        let decoder = MaskDecoder(size: Self.size, count: 1, rule: .enlargeLogits, letterbox: letterbox)
        let prototypes = [Float](repeating: 1, count: 16 * 12)
        let mask = try decoder.mask([.nan], prototypes.span, box: Box(x1: 0, y1: 0, x2: 64, y2: 48))
        #expect(mask.isEmpty)
        let huge = Box(x1: -1e30, y1: -1e30, x2: 1e30, y2: 1e30)
        #expect(try decoder.mask([1], prototypes.span, box: huge).area == 64 * 48)
    }
}
