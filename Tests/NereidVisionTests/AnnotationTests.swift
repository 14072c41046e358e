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

    @Test("tints the pixels of an object and leaves the others as they are")
    func mask() throws {
        let size = PixelSize(width: 400, height: 300)
        var builder = MaskBuilder(size: size)
        for column in 150..<200 { builder.add(column: column, rows: 160..<190) }
        var detection = Self.detection(Box(x1: 100, y1: 120, x2: 300, y2: 250))
        detection.mask = builder.mask()
        let picture = try Annotation.draw([detection], on: .blocks([], width: 400, height: 300))
        let colour = Self.bytes(Colour(classID: 0))
        let tinted = zip(colour, Self.background).map { UInt8((Int($0) * 115 + Int($1) * 140) / 255) }
        for (x, y) in [(150, 160), (199, 189), (170, 175)] { #expect(picture.pixel(x: x, y: y) == tinted) }
        for (x, y) in [(149, 160), (200, 189), (170, 159), (170, 190)] {
            #expect(picture.pixel(x: x, y: y) == Self.background)
        }
        // A mask of another picture is not drawn.
        detection.mask = Mask(size: PixelSize(width: 2, height: 2), counts: [0, 4])
        let plain = try Annotation.draw([detection], on: .blocks([], width: 400, height: 300))
        #expect(plain.pixel(x: 0, y: 0) == Self.background)
    }

    @Test("draws keypoints that are to be seen, each in a colour of its own")
    func keypoints() throws {
        var detection = Self.detection(Box(x1: 100, y1: 120, x2: 300, y2: 250))
        detection.keypoints = [
            Keypoint(x: 150, y: 180, score: 0.9), Keypoint(x: 200, y: 180, score: 0.1), Keypoint(x: 250, y: 180),
            Keypoint(x: 400, y: 300, score: 1),
        ]
        let picture = try Annotation.draw([detection], on: .blocks([], width: 400, height: 300))
        #expect(picture.pixel(x: 150, y: 180) == Self.bytes(Colour(classID: 0)))
        #expect(picture.pixel(x: 150, y: 185) == [0, 0, 0])
        #expect(picture.pixel(x: 150, y: 186) == Self.background)
        #expect(picture.pixel(x: 200, y: 180) == Self.background)
        #expect(picture.pixel(x: 250, y: 180) == Self.bytes(Colour(classID: 2)))
        #expect(picture.pixel(x: 399, y: 299) == Self.bytes(Colour(classID: 3)))
    }

    @Test("draws turned boxes along their sides, and nothing of the box around them")
    func rotation() throws {
        var detection = Self.detection(Box(x1: 100, y1: 100, x2: 300, y2: 200))
        detection.rotation = RotatedBox(centre: Point(x: 200, y: 150), width: 100, height: 60, angle: .pi / 4)
        let picture = try Annotation.draw([detection], on: .blocks([], width: 400, height: 300))
        let colour = Self.bytes(Colour(classID: 0))
        for corner in detection.rotation?.corners ?? [] {
            #expect(picture.pixel(x: Int(corner.x), y: Int(corner.y)) == colour)
        }
        // The middle of a side lies half the height across from the centre.
        let half = 30 / Float(2).squareRoot()
        #expect(picture.pixel(x: Int(200 - half), y: Int(150 + half)) == colour)
        #expect(picture.pixel(x: 200, y: 150) == Self.background)
        #expect(picture.pixel(x: 100, y: 199) == Self.background)
    }

    @Test(
        "survives turned boxes far outside",
        arguments: [
            RotatedBox(centre: Point(x: 1e30, y: -1e30), width: 1e30, height: 5, angle: 1),
            RotatedBox(centre: Point(x: 0, y: 0), width: 1e9, height: 1e9, angle: 0.3),
            RotatedBox(centre: Point(x: 5, y: 5), width: 0, height: 0, angle: 0),
        ]
    )
    func farAway(rotation: RotatedBox) throws {
        var detection = Self.detection(Box(x1: 0, y1: 0, x2: 40, y2: 30))
        detection.rotation = rotation
        let picture = try Annotation.draw([detection], on: .blocks([], width: 64, height: 64))
        #expect(picture.size == PixelSize(width: 64, height: 64))
    }

    @Test("lists the classes of a whole picture at its top left corner")
    func classes() throws {
        let classifications = [
            Classification(classID: 3, label: "reef", score: 0.75),
            Classification(classID: 1, label: "sand", score: 0.2),
        ]
        let picture = try Annotation.draw(
            [],
            classifications: classifications,
            on: .blocks([], width: 400, height: 300)
        )
        #expect(picture.pixel(x: 0, y: 0) == Self.bytes(Colour(classID: 3)))
        #expect(picture.pixel(x: 0, y: 18) == Self.bytes(Colour(classID: 1)))
        #expect(picture.pixel(x: 0, y: 40) == Self.background)
        #expect(picture.pixel(x: 399, y: 0) == Self.background)
    }
}
