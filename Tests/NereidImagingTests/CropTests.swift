// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidImaging

@Suite("Cropping")
struct CropTests {
    private static let target = PixelSize(width: 224, height: 224)

    @Test(
        "resizes the shorter side and cuts the longer one as torchvision does",
        arguments: [
            // Width, height, resized width and height, columns and rows cut off before: `int(size * long / short)`, and
            // half of the rest rounded to even.
            (1920, 1080, 398, 224, 87, 0), (810, 1080, 224, 298, 0, 37), (224, 224, 224, 224, 0, 0),
            (100, 101, 224, 226, 0, 1), (100, 103, 224, 230, 0, 3), (101, 100, 226, 224, 1, 0), (1, 1, 224, 224, 0, 0),
            (1000, 1, 224_000, 224, 111_888, 0), (200, 201, 224, 225, 0, 0), (225, 228, 224, 226, 0, 1),
        ]
    )
    func crop(width: Int, height: Int, contentWidth: Int, contentHeight: Int, columns: Int, rows: Int) {
        let box = Letterbox(picture: PixelSize(width: width, height: height), target: Self.target, fit: .crop)
        #expect(box.input == Self.target)
        #expect(box.content == PixelSize(width: contentWidth, height: contentHeight))
        #expect((-box.left, -box.top) == (columns, rows))
    }

    @Test("shows the middle, resized as a whole", arguments: Letterbox.Resampling.allCases)
    func middle(resampling: Letterbox.Resampling) throws {
        let picture = try Picture.noise(width: 90, height: 40)
        let target = PixelSize(width: 20, height: 20)
        let whole = Letterbox(
            picture: picture.size,
            target: PixelSize(width: 45, height: 20),
            fit: .stretch,
            resampling: resampling
        )
        let crop = Letterbox(picture: picture.size, target: target, fit: .crop, resampling: resampling)
        #expect((crop.content, crop.left) == (whole.input, -12))
        let (all, part) = (try whole.renderedPixels(picture), try crop.renderedPixels(picture))
        for y in 0..<20 {
            for x in 0..<20 { #expect(part.pixel(x, y) == all.pixel(x + 12, y)) }
        }
    }

    @Test("cuts a square out first if asked to, then resizes", arguments: Letterbox.Resampling.allCases)
    func cropFirst(resampling: Letterbox.Resampling) throws {
        for (width, height) in [(91, 40), (40, 91), (64, 64)] {
            let picture = try Picture.noise(width: width, height: height)
            let side = min(width, height)
            let (left, top) = ((width - side) / 2, (height - side) / 2)
            var pixels: [UInt8] = []
            for y in top..<top + side {
                for x in left..<left + side { pixels += picture.pixel(x, y) }
            }
            let square = try Picture(width: side, height: side, pixels: pixels)
            for target in [PixelSize(width: 24, height: 24), PixelSize(width: 20, height: 20), square.size] {
                let box = Letterbox(picture: picture.size, target: target, fit: .cropFirst, resampling: resampling)
                let plain = Letterbox(picture: square.size, target: target, fit: .stretch, resampling: resampling)
                #expect(try box.renderedPixels(picture).pixels == plain.renderedPixels(square).pixels)
                // The square's corner is the input's.
                #expect(abs(box.pictureX(0) - Float(left)) < 1e-3)
                #expect(abs(box.pictureY(Float(target.height)) - Float(top + side)) < 1e-3)
            }
        }
    }

    @Test("keeps the target's proportions where it is no square")
    func proportions() {
        let target = PixelSize(width: 200, height: 100)
        let first = Letterbox(picture: PixelSize(width: 90, height: 90), target: target, fit: .cropFirst)
        #expect(abs(first.pictureY(0) - 22) < 1e-4)
        #expect(abs(first.pictureY(100) - 67) < 1e-4)
        let after = Letterbox(picture: PixelSize(width: 90, height: 90), target: target, fit: .crop)
        #expect((after.content, after.top) == (PixelSize(width: 200, height: 200), -50))
        #expect(abs(after.pictureY(0) - 22.5) < 1e-4)
        #expect(abs(after.pictureY(100) - 67.5) < 1e-4)
    }
}
