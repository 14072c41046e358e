// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidImaging

@Suite("Letterbox rendering")
struct LetterboxRenderingTests {
    /// Bilinear resizing as the textbook has it, in double precision.
    private static func reference(_ picture: Picture, x: Int, y: Int, channel: Int, content: PixelSize) -> Double {
        func taps(_ index: Int, _ source: Int, _ target: Int) -> (Int, Int, Double) {
            let position = (Double(index) + 0.5) * Double(source) / Double(target) - 0.5
            let first = position.rounded(.down)
            func clamped(_ value: Double) -> Int { Int(min(max(value, 0), Double(source - 1))) }
            return (clamped(first), clamped(first + 1), position - first)
        }
        let (x0, x1, fx) = taps(x, picture.width, content.width)
        let (y0, y1, fy) = taps(y, picture.height, content.height)
        func value(_ x: Int, _ y: Int) -> Double { Double(picture.pixel(x, y)[channel]) }
        let upper = value(x0, y0) * (1 - fx) + value(x1, y0) * fx
        let lower = value(x0, y1) * (1 - fx) + value(x1, y1) * fx
        return upper * (1 - fy) + lower * fy
    }

    @Test(
        "differs from exact bilinear resizing by at most one grey level",
        arguments: [(97, 61), (33, 190), (64, 64), (128, 128), (192, 64), (5, 3), (1, 1), (70, 63)],
        [(64, 64), (96, 40)]
    )
    func bilinear(picture: (Int, Int), target: (Int, Int)) throws {
        let picture = try Picture.noise(width: picture.0, height: picture.1)
        for fit in [Letterbox.Fit.rect, .square, .stretch] {
            let target = PixelSize(width: target.0, height: target.1)
            let box = Letterbox(picture: picture.size, target: target, fit: fit)
            let rendered = try box.renderedPixels(picture)
            var largest = 0.0
            for y in 0..<box.input.height {
                for x in 0..<box.input.width {
                    let (column, row) = (x - box.left, y - box.top)
                    let isInside =
                        (0..<box.content.width).contains(column) && (0..<box.content.height).contains(row)
                    let pixel = rendered.pixel(x, y)
                    for channel in 0..<3 {
                        let expected =
                            isInside
                            ? Self.reference(picture, x: column, y: row, channel: channel, content: box.content) : 114
                        largest = max(largest, abs(Double(pixel[channel]) - expected))
                    }
                }
            }
            #expect(largest <= 1, "\(fit)")
        }
    }

    @Test("copies when the size is right")
    func copy() throws {
        let picture = try Picture.noise(width: 32, height: 32)
        let box = Letterbox(picture: picture.size, target: picture.size, fit: .square)
        #expect(try box.renderedPixels(picture).pixels == picture.pixels)
    }

    @Test("averages four pixels when both sides are halved")
    func halve() throws {
        let picture = try Picture(width: 2, height: 2, pixels: [0, 10, 1, 0, 20, 1, 1, 30, 1, 1, 40, 2])
        let box = Letterbox(picture: picture.size, target: PixelSize(width: 1, height: 1), fit: .square)
        #expect(try box.renderedPixels(picture).pixels == [1, 25, 1])
    }

    @Test("mixes as OpenCV does, to the last bit")
    func fixedPoint() throws {
        // cv2.resize of one row, 3 to 5 pixels, and of one column, 5 to 3, INTER_LINEAR on uint8.
        let row = try Picture(width: 3, height: 1, pixels: [0, 9, 200, 100, 99, 50, 255, 3, 77])
        let box = Letterbox(picture: row.size, target: PixelSize(width: 5, height: 1), fit: .stretch)
        #expect(
            try box.renderedPixels(row).pixels
                == [0, 9, 200, 40, 45, 140, 100, 99, 50, 193, 41, 66, 255, 3, 77]
        )
        let column = try Picture(
            width: 1,
            height: 5,
            pixels: [0, 9, 200, 100, 99, 50, 255, 3, 77, 13, 14, 15, 201, 202, 203]
        )
        let down = Letterbox(picture: column.size, target: PixelSize(width: 1, height: 3), fit: .stretch)
        #expect(try down.renderedPixels(column).pixels == [33, 39, 150, 255, 3, 77, 138, 139, 140])
    }

    @Test("refuses another picture and too little room")
    func refusals() throws {
        let picture = try Picture.gradient(width: 8, height: 8)
        let other = PixelSize(width: 9, height: 8)
        let wrong = Letterbox(picture: other, target: PixelSize(width: 4, height: 4), fit: .square)
        #expect(throws: ImagingError.wrongPictureSize(picture.size, expected: other)) {
            try wrong.renderedPixels(picture)
        }
        let box = Letterbox(picture: picture.size, target: PixelSize(width: 4, height: 4), fit: .square)
        var bytes = [UInt8](repeating: 7, count: 191)
        #expect(throws: ImagingError.destinationTooSmall(bytes: 191, needed: 192)) {
            var span = bytes.mutableSpan
            var raw = span.mutableBytes
            try box.render(picture, as: PixelEncoding(), into: &raw)
        }
        #expect(bytes.allSatisfy { $0 == 7 })
    }

    @Test(
        "writes every layout, order and element",
        arguments: PixelEncoding.Layout.allCases,
        PixelEncoding.Channels.allCases
    )
    func encodings(layout: PixelEncoding.Layout, channels: PixelEncoding.Channels) throws {
        let picture = try Picture.noise(width: 6, height: 4)
        let box = Letterbox(picture: picture.size, target: PixelSize(width: 8, height: 8), fit: .square)
        let plain = try box.renderedPixels(picture)
        for element in PixelEncoding.Element.allCases {
            let encoding = PixelEncoding(
                element: element,
                channels: channels,
                layout: layout,
                scale: element == .uint8 ? 1 : 1 / 255,
                mean: element == .uint8 ? [0, 1, 2] : [0.485, 0.456, 0.406],
                standardDeviation: element == .uint8 ? .one : [0.229, 0.224, 0.225]
            )
            let bytes = try box.rendered(picture, as: encoding)
            #expect(bytes.count == encoding.byteCount(for: box.input))
            for index in 0..<64 {
                for channel in 0..<3 {
                    let position = layout == .planar ? channel * 64 + index : index * 3 + channel
                    let source = channels == .rgb ? channel : 2 - channel
                    let pixel = Float(plain.pixels[index * 3 + source])
                    let scaled = element == .uint8 ? pixel : pixel / 255
                    let value = (scaled - encoding.mean[channel]) / encoding.standardDeviation[channel]
                    switch element {
                    case .float32:
                        #expect(bytes.element(Float.self, at: position) == value)
                    case .float16:
                        #expect(bytes.element(Float16.self, at: position) == Float16(value))
                    case .uint8:
                        #expect(bytes[position] == UInt8(max(value, 0)))
                    }
                }
            }
        }
    }

    @Test("keeps bytes within their range, and divides where the frameworks divide")
    func values() throws {
        let picture = try Picture(width: 1, height: 1, pixels: [0, 128, 255])
        let box = Letterbox(picture: picture.size, target: picture.size, fit: .square)
        let loud = PixelEncoding(element: .uint8, scale: 2, mean: [1, 0, 0])
        #expect(try box.rendered(picture, as: loud) == [0, 255, 255])
        let undefined = PixelEncoding(element: .uint8, scale: 1, standardDeviation: .zero)
        #expect(try box.rendered(picture, as: undefined) == [0, 255, 255])
        for pixel in UInt8.min...UInt8.max {
            #expect(PixelEncoding().value(of: Float(pixel), channel: 0) == Float(pixel) / 255)
        }
        #expect(PixelEncoding(scale: 0.3).value(of: 10, channel: 2) == 3)
    }
}

extension [UInt8] {
    fileprivate func element<T: BitwiseCopyable>(_ type: T.Type, at index: Int) -> T {
        withUnsafeBytes { $0.loadUnaligned(fromByteOffset: index * MemoryLayout<T>.stride, as: type) }
    }
}
