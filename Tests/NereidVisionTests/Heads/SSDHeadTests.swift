// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging
import NereidInference
import Testing

@testable import NereidVision

@Suite("SSD head")
struct SSDHeadTests {
    @Test("ignores the background, however sure the network is of it")
    func background() throws {
        let scores = try Tensor.rows([[0.75, 0.25], [0.25, 0.75]])
        let boxes = try Tensor.rows([[0, 0, 0.5, 0.5], [0.25, 0.5, 0.75, 1]])
        let head = try SSDHead(fitting: HeadEvidence([1, 2, 2], [1, 2, 4]))
        let found = try candidates(head, [scores, boxes])
        #expect(found == [Candidate(box: Box(x1: 80, y1: 120, x2: 240, y2: 240), score: 0.75, classID: 0)])
    }

    @Test("tells scores from boxes by their columns, in either order")
    func order() throws {
        let scores = try Tensor.rows([[0, 0, 1]])
        let boxes = try Tensor.rows([[0, 0, 1, 1]])
        let scoresFirst = try SSDHead(fitting: HeadEvidence([1, 1, 3], [1, 1, 4]))
        let boxesFirst = try SSDHead(fitting: HeadEvidence([1, 1, 4], [1, 1, 3]))
        #expect(try candidates(scoresFirst, [scores, boxes]) == candidates(boxesFirst, [boxes, scores]))
        #expect(try candidates(scoresFirst, [scores, boxes]).map(\.classID) == [1])
    }

    static let orders = [["boxes", "scores"], ["scores", "boxes"]]

    @Test("tells them by their names when both have four columns", arguments: orders)
    func names(names: [String]) throws {
        let scores = try Tensor.rows([[0, 0, 0, 0.5]])
        let boxes = try Tensor.rows([[0, 0, 1, 1]])
        let head = try SSDHead(fitting: HeadEvidence([1, 1, 4], [1, 1, 4], names: names))
        #expect(head.classCount == 3)
        let found = try candidates(head, names[0] == "boxes" ? [boxes, scores] : [scores, boxes])
        #expect(found == [Candidate(box: Box(x1: 0, y1: 0, x2: 320, y2: 240), score: 0.5, classID: 2)])
    }

    @Test("refuses as many scores as there are not boxes")
    func rows() throws {
        let head = try SSDHead(fitting: HeadEvidence([1, 2, 2], [1, 2, 4]))
        let outputs = [try Tensor.rows([[0, 1]]), try Tensor.rows([[0, 0, 1, 1], [0, 0, 1, 1]])]
        #expect(throws: HeadMisfit(reason: "1 rows of scores for 2 boxes")) { try candidates(head, outputs) }
    }

    private func candidates(_ head: SSDHead, _ outputs: [Tensor]) throws -> [Candidate] {
        try head.candidates(
            in: outputs,
            picture: 0,
            input: PixelSize(width: 320, height: 240),
            filter: CandidateFilter(confidence: 0.25)
        )
    }
}
