// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging
import Testing

@testable import NereidVision

@Suite("Annotation")
struct AnnotationTests {
    static let background: [UInt8] = [114, 114, 114]

    static func detection(_ box: Box, classID: Int = 0, score: Float = 0.87) -> Detection {
        Detection(box: box, score: score, classID: classID, label: "sea urchin")
    }

    static func bytes(_ colour: Colour) -> [UInt8] { [colour.red, colour.green, colour.blue] }

    @Test("draws a frame in the colour of the class, and nothing inside or far outside")
    func frame() throws {
        let box = Box(x1: 100, y1: 120, x2: 299.6, y2: 250)
        let picture = try Annotation.draw([Self.detection(box, classID: 4)], on: .blocks([], width: 400, height: 300))
        let colour = Self.bytes(Colour(classID: 4))
        for (x, y) in [(100, 120), (299, 120), (100, 249), (299, 249), (101, 200), (200, 248), (298, 180), (250, 121)] {
            #expect(picture.pixel(x: x, y: y) == colour, "(\(x), \(y))")
        }
        for (x, y) in [(102, 200), (200, 190), (297, 200), (200, 247), (99, 200), (300, 200), (200, 250), (10, 10)] {
            #expect(picture.pixel(x: x, y: y) == Self.background, "(\(x), \(y))")
        }
        #expect(picture.size == PixelSize(width: 400, height: 300))
    }

    @Test("puts the label on a plate above the box, in ink that can be read")
    func plate() throws {
        let box = Box(x1: 100, y1: 120, x2: 300, y2: 250)
        let picture = try Annotation.draw([Self.detection(box)], on: .blocks([], width: 400, height: 300))
        let text = try TextMask("sea urchin 87 %", height: 14)
        // Padding is twice the thickness of 2; the plate stands on the box.
        let plate = (x: 100..<100 + text.width + 8, y: 120 - text.height - 4..<120)
        #expect(picture.pixel(x: plate.x.lowerBound, y: plate.y.lowerBound) == Self.bytes(Colour(classID: 0)))
        #expect(picture.pixel(x: plate.x.upperBound - 1, y: plate.y.upperBound - 1) == Self.bytes(Colour(classID: 0)))
        #expect(picture.pixel(x: plate.x.upperBound, y: plate.y.lowerBound) == Self.background)
        #expect(picture.pixel(x: plate.x.lowerBound, y: plate.y.lowerBound - 1) == Self.background)
        let ink = Self.bytes(Colour(classID: 0).ink)
        let inked = plate.y.flatMap { y in plate.x.filter { picture.pixel(x: $0, y: y) == ink } }
        #expect(inked.count == text.coverage.count { $0 == 255 })
        #expect(!inked.isEmpty)
    }

    @Test(
        "stays within the picture, whatever the box",
        arguments: [
            Box(x1: 0, y1: 0, x2: 40, y2: 30), Box(x1: 280, y1: 0, x2: 320, y2: 200),
            Box(x1: 0, y1: 170, x2: 320, y2: 200), Box(x1: -50, y1: -50, x2: 900, y2: 900),
            Box(x1: 320, y1: 200, x2: 320, y2: 200), Box(x1: 5, y1: 5, x2: 5, y2: 5), Box(x1: 9, y1: 9, x2: 3, y2: 3),
        ]
    )
    func corners(box: Box) throws {
        let picture = try Annotation.draw([Self.detection(box)], on: .blocks([], width: 320, height: 200))
        let colour = Self.bytes(Colour(classID: 0))
        let painted = (0..<200).reduce(0) { count, y in
            count + (0..<320).count { picture.pixel(x: $0, y: y) == colour }
        }
        #expect(painted > 0)
    }

    @Test("draws on pictures smaller than a label")
    func small() throws {
        let picture = try Annotation.draw(
            [Self.detection(Box(x1: 0, y1: 0, x2: 1, y2: 1))],
            on: Picture(width: 1, height: 1, pixels: [0, 0, 0])
        )
        #expect(picture.size == PixelSize(width: 1, height: 1))
    }

    @Test("draws the surest on top")
    func order() throws {
        let box = Box(x1: 100, y1: 120, x2: 300, y2: 250)
        let detections = [Self.detection(box, classID: 1, score: 0.9), Self.detection(box, classID: 2, score: 0.3)]
        let picture = try Annotation.draw(detections, on: .blocks([], width: 400, height: 300))
        #expect(picture.pixel(x: 100, y: 200) == Self.bytes(Colour(classID: 1)))
    }

    @Test("changes nothing when there is nothing to draw")
    func nothing() throws {
        let picture = try Picture.blocks([Block(.red, column: 1, row: 1)], width: 64, height: 64)
        let same = try Annotation.draw([], on: picture)
        let pixels = [picture, same].map { $0.withPixels { span in (0..<span.count).map { span[$0] } } }
        #expect(pixels[0] == pixels[1])
    }

    @Test("gives neighbouring classes colours that are told apart")
    func colours() {
        for classID in 0..<100 {
            let (one, next) = (Self.bytes(Colour(classID: classID)), Self.bytes(Colour(classID: classID + 1)))
            #expect(zip(one, next).contains { abs(Int($0) - Int($1)) > 60 }, "class \(classID)")
        }
        #expect(Colour(red: 255, green: 255, blue: 0).ink == Colour(red: 0, green: 0, blue: 0))
        #expect(Colour(red: 0, green: 0, blue: 255).ink == Colour(red: 255, green: 255, blue: 255))
    }
}
