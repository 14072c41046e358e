// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidImaging

@Suite("Letterbox")
struct LetterboxTests {
    static let sizes = [
        PixelSize(width: 1920, height: 1080), PixelSize(width: 810, height: 1080), PixelSize(width: 640, height: 640),
        PixelSize(width: 1, height: 1), PixelSize(width: 3, height: 1000), PixelSize(width: 1800, height: 1200),
        PixelSize(width: 5, height: 4),
    ]

    @Test("places pictures as Ultralytics does")
    func ultralytics() {
        let target = PixelSize(width: 640, height: 640)
        let wide = Letterbox(picture: PixelSize(width: 1920, height: 1080), target: target, fit: .square)
        #expect(wide.input == target)
        #expect(wide.content == PixelSize(width: 640, height: 360))
        #expect((wide.left, wide.top) == (0, 140))
        #expect((wide.horizontalPadding, wide.verticalPadding) == (0, 140))

        let rect = Letterbox(picture: PixelSize(width: 1920, height: 1080), target: target, fit: .rect)
        #expect(rect.input == PixelSize(width: 640, height: 384))
        #expect((rect.left, rect.top) == (0, 12))

        // 427 rows leave 213: 106 above, 107 below. Boxes go by the fraction: 1200 rows become 426.67.
        let odd = Letterbox(picture: PixelSize(width: 1800, height: 1200), target: target, fit: .square)
        #expect(odd.content == PixelSize(width: 640, height: 427))
        #expect(odd.top == 106)
        #expect(abs(odd.verticalPadding - 106.666_67) < 1e-4)
    }

    @Test("scales back by whole pixels of padding where that is the framework's way")
    func wholePadding() {
        let odd = Letterbox(
            picture: PixelSize(width: 1800, height: 1200),
            target: PixelSize(width: 640, height: 640),
            fit: .square,
            countsWholePadding: true
        )
        #expect((odd.top, odd.verticalPadding) == (106, 106))
        #expect(abs(odd.pictureY(106)) < 1e-4)
    }

    @Test("takes both sides from the target when it stretches")
    func stretch() {
        let picture = PixelSize(width: 100, height: 50)
        let box = Letterbox(picture: picture, target: PixelSize(width: 320, height: 240), fit: .stretch)
        #expect(box.input == box.content)
        #expect(abs(box.pictureX(320) - 100) < 1e-3)
        #expect(abs(box.pictureY(240) - 50) < 1e-3)
    }

    @Test("puts pictures at the top left as YOLOX does, sides cut off")
    func topLeft() {
        let box = Letterbox(
            picture: PixelSize(width: 810, height: 1080),
            target: PixelSize(width: 416, height: 416),
            fit: .square,
            placement: .topLeft
        )
        #expect(box.content == PixelSize(width: 312, height: 416))
        #expect((box.left, box.top) == (0, 0))
        #expect(abs(box.pictureX(312) - 810) < 0.01)
        let cut = Letterbox(
            picture: PixelSize(width: 1800, height: 1200),
            target: PixelSize(width: 640, height: 640),
            fit: .square,
            placement: .topLeft
        )
        #expect(cut.content.height == 426)
    }

    @Test("gives every side of a rect a multiple of the stride", arguments: sizes, [32, 64])
    func strides(picture: PixelSize, stride: Int) {
        let box = Letterbox(picture: picture, target: PixelSize(width: 640, height: 640), fit: .rect, stride: stride)
        #expect(box.input.width.isMultiple(of: stride) && box.input.height.isMultiple(of: stride))
        #expect(max(box.input.width, box.input.height) == 640)
        #expect(box.left + box.content.width <= box.input.width)
        #expect(box.top + box.content.height <= box.input.height)
    }

    @Test("leads boxes there and back", arguments: sizes, Letterbox.Fit.allCases)
    func roundTrip(picture: PixelSize, fit: Letterbox.Fit) {
        for placement in Letterbox.Placement.allCases {
            let target = PixelSize(width: 640, height: 480)
            let box = Letterbox(picture: picture, target: target, fit: fit, placement: placement)
            for part: Float in [0, 0.25, 0.5, 1, 1.5] {
                let (x, y) = (Float(picture.width) * part, Float(picture.height) * part)
                #expect(abs(box.pictureX(box.inputX(x)) - x) <= 1e-3 * max(1, x))
                #expect(abs(box.pictureY(box.inputY(y)) - y) <= 1e-3 * max(1, y))
            }
        }
    }

    @Test("does not clip coordinates outside the picture")
    func unclipped() {
        let picture = PixelSize(width: 1920, height: 1080)
        let box = Letterbox(picture: picture, target: PixelSize(width: 640, height: 640), fit: .square)
        #expect(box.pictureY(0) == -420)
        #expect(box.pictureY(640) == 1500)
    }
}
