// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidInference
import Testing

@testable import NereidVision

@Suite("Every head that holds scores as they are")
struct HeadTests {
    static let elements = [ElementType.float32, .float16]
    static let cat = RawObject(box: Box(x1: 4, y1: 8, x2: 12, y2: 24), scores: [0.75, 0.125, 0])
    static let dog = RawObject(box: Box(x1: 16, y1: 0, x2: 32, y2: 16), scores: [0.125, 0.25, 0.875])

    @Test("reads boxes, scores and classes", arguments: HeadLayout.allCases, elements)
    func objects(layout: HeadLayout, element: ElementType) throws {
        let outputs = try layout.outputs([[Self.cat, Self.dog]], as: element)
        let candidates = try layout.candidates(outputs)
        try #require(candidates.count == 2)
        for (candidate, object) in zip(candidates, [(Self.cat, 0), (Self.dog, 2)]) {
            // Half precision has eleven bits, and YOLOX takes the exponential of a rounded number.
            #expect(candidate.box.isNear(object.0.box, within: element == .float16 ? 0.05 : 1e-4))
            #expect(candidate.score == object.0.scores[object.1])
            #expect(candidate.classID == object.1)
        }
    }

    @Test("keeps scores above the threshold, and none at it", arguments: HeadLayout.allCases, elements)
    func threshold(layout: HeadLayout, element: ElementType) throws {
        for threshold in [Float(0), 0.1, 0.25, 0.3, 0.5, 0.7, 0.999] {
            let scores = neighbours(of: threshold, as: element)
            let objects = scores.map { RawObject(box: Self.cat.box, scores: [-1, $0, -1]) }
            let kept = try layout.candidates(layout.outputs([objects], as: element), confidence: threshold)
            #expect(kept.map(\.score) == scores.filter { $0 > threshold }, "threshold \(threshold)")
        }
    }

    @Test("leaves out classes that nobody asked for", arguments: HeadLayout.allCases, elements)
    func classFilter(layout: HeadLayout, element: ElementType) throws {
        let outputs = try layout.outputs([[Self.cat, Self.dog]], as: element)
        #expect(try layout.candidates(outputs, classes: [2]).map(\.classID) == [2])
        #expect(try layout.candidates(outputs, classes: [0, 1]).map(\.classID) == [0])
        // The dog's second best class does not stand in for its best.
        #expect(try layout.candidates(outputs, confidence: 0.2, classes: [1]).isEmpty)
        #expect(try layout.candidates(outputs, classes: []).isEmpty)
    }

    @Test("reads the picture asked for of a batch", arguments: HeadLayout.allCases, elements)
    func batch(layout: HeadLayout, element: ElementType) throws {
        let outputs = try layout.outputs([[Self.cat], [], [Self.dog, Self.cat]], as: element)
        #expect(try (0..<3).map { try layout.candidates(outputs, picture: $0).map(\.classID) } == [[0], [], [2, 0]])
    }

    @Test("takes the first of several classes with the same score", arguments: HeadLayout.allCases, elements)
    func ties(layout: HeadLayout, element: ElementType) throws {
        let objects = [[0.5, 0.5, 0.5], [0.125, 0.5, 0.5], [0, 0, 0.5]].map { scores in
            RawObject(box: Self.cat.box, scores: scores.map { Float($0) })
        }
        let candidates = try layout.candidates(layout.outputs([objects], as: element))
        #expect(candidates.map(\.classID) == [0, 1, 2])
    }

    @Test("refuses scores that are not numbers", arguments: HeadLayout.allCases, elements)
    func notANumber(layout: HeadLayout, element: ElementType) throws {
        for scores in [[Float.nan, .nan, .nan], [-Float.nan, -.nan, -.nan]] {
            let objects = [Self.dog, RawObject(box: Self.cat.box, scores: scores)]
            let misfit = #expect(throws: HeadMisfit.self) {
                try layout.candidates(layout.outputs([objects], as: element))
            }
            #expect(misfit?.isValue == true)
        }
    }

    @Test("says which output it can't read", arguments: HeadLayout.allCases)
    func misfits(layout: HeadLayout) throws {
        let outputs = try layout.outputs([[Self.cat]], as: .float32)
        if layout != .yolov7 { #expect(throws: HeadMisfit.self) { try layout.candidates(outputs, picture: 1) } }
        let integers = try outputs.map { try Tensor(zeros: .int32, shape: $0.shape) }
        let misfit = #expect(throws: HeadMisfit.self) { try layout.candidates(integers) }
        #expect(misfit?.reason.contains("int32") == true)
        // SSD's two outputs check each other instead.
        guard layout != .ssd else { return }
        let narrow = try outputs.map { output in
            try Tensor(zeros: .float32, shape: layout == .yolov7 ? [3, 6] : [1, 3, output.shape[2] - 1])
        }
        #expect(throws: HeadMisfit.self) { try layout.candidates(narrow) }
    }
}
