// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import Testing

@testable import NereidImaging

@Suite("Orientation")
struct OrientationTests {
    /// Where the stored picture's first row and first column stand when it is upright, as the EXIF standard words it.
    enum Side {
        case top, bottom, left, right
    }

    static let sides: [(row: Side, column: Side)] = [
        (.top, .left), (.top, .right), (.bottom, .right), (.bottom, .left),
        (.left, .top), (.right, .top), (.right, .bottom), (.left, .bottom),
    ]

    @Test("turns as EXIF says, whatever the size", arguments: Orientation.allCases)
    func turns(orientation: Orientation) throws {
        for (width, height) in [(1, 1), (3, 2), (1, 7), (130, 67)] {
            let stored = try Picture.noise(width: width, height: height)
            let raw = try DecodedPixels(size: stored.size, pixels: stored.pixels, orientation: orientation)
                .turnedUpright()
            let upright = Picture(size: raw.size, format: nil, pixels: raw.pixels)
            let (row, column) = Self.sides[orientation.rawValue - 1]
            #expect(upright.size == ([.left, .right].contains(row) ? stored.size.transposed : stored.size))
            for y in 0..<height {
                for x in 0..<width {
                    var place = (x: 0, y: 0)
                    for (side, distance, last) in [(row, y, height - 1), (column, x, width - 1)] {
                        switch side {
                        case .top: place.y = distance
                        case .bottom: place.y = last - distance
                        case .left: place.x = distance
                        case .right: place.x = last - distance
                        }
                    }
                    guard upright.pixel(place.x, place.y) == stored.pixel(x, y) else {
                        Issue.record("pixel \(x), \(y) of \(width)×\(height) is not at \(place)")
                        return
                    }
                }
            }
        }
    }

    @Test("is read from EXIF in either byte order, and can be left alone", arguments: 1...8, [false, true])
    func exif(value: Int, bigEndian: Bool) throws {
        let stored = try Picture.gradient(width: 24, height: 16)
        let file = try SmallFiles.jpeg(stored, orientation: value, bigEndian: bigEndian)
        let left = try Picture(decoding: file, appliesOrientation: false)
        #expect(left.largestDifference(to: stored) <= 4)
        let expected = try #require(try Orientation(rawValue: value)?.turn(left.pixels, of: left.size))
        let upright = try Picture(decoding: file)
        #expect(upright.pixels == expected)
        #expect(upright.size == (value > 4 ? stored.size.transposed : stored.size))
    }

    @Test("that makes no sense is ignored", arguments: [0, 9, 65_535])
    func nonsense(value: Int) throws {
        let stored = try Picture.gradient(width: 24, height: 16)
        let file = try SmallFiles.jpeg(stored, orientation: value, bigEndian: true)
        #expect(try Picture(decoding: file).size == stored.size)
    }

    @Test("in EXIF that is cut short anywhere is ignored or found, never read beyond the end")
    func cutShort() throws {
        let file = try SmallFiles.jpeg(.gradient(width: 8, height: 8), orientation: 6, bigEndian: true)
        let exif = Array(file.readableBytesView.dropFirst(6).prefix(32))
        for count in 0...exif.count {
            let found = exif.prefix(count).withUnsafeBytes { bytes in
                var evidence = OrientationEvidence()
                evidence.add(app1: ByteReader(bytes: bytes, isBigEndian: true))
                return evidence.result
            }
            #expect(found == .upright || found == .quarterTurn)
        }
    }
}
