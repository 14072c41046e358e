// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidVision

@Suite("Rotated box")
struct RotatedBoxTests {
    @Test("has its corners where Ultralytics has them, in that order")
    func corners() {
        // yolo26n-obb.json of the reference results, bus.jpg, rect640.
        let box = RotatedBox(
            centre: Point(x: 354.64453, y: 772.75458),
            width: 129.99628,
            height: 73.830582,
            angle: -0.17063466
        )
        let expected: [Float] = [424.96722, 798.09656, 412.43024, 725.33826, 284.32184, 747.4126, 296.85883, 820.1709]
        let found = box.corners.flatMap { [$0.x, $0.y] }
        #expect(zip(found, expected).allSatisfy { abs($0 - $1) < 1e-3 })
        let envelope = Box(x1: 284.32184, y1: 725.33826, x2: 424.96722, y2: 820.1709)
        #expect(box.bounds.isNear(envelope, within: 1e-3))
    }

    @Test("is an upright box when it is not turned, and the same after half a turn", arguments: [Float(0), .pi])
    func upright(angle: Float) {
        let box = RotatedBox(centre: Point(x: 10, y: 20), width: 8, height: 4, angle: angle)
        #expect(box.bounds.isNear(Box(x1: 6, y1: 18, x2: 14, y2: 22), within: 1e-5))
    }
}
