// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NIOCore
import Testing

@testable import NereidImaging

/// Photographs against what the original frameworks made of them; `reference/README.md` there says how.
@Suite("Shared photographs", .enabled(if: SharedFolder.isThere, SharedFolder.absence))
struct PhotoTests {
    struct Photos: Decodable {
        struct Photo: Decodable, Sendable {
            var file: String
            var width: Int
            var height: Int
            var exifOrientation: Int?
            var sha256Rgb: String
        }
        var photos: [Photo]
    }

    struct Reference: Decodable {
        struct Run: Decodable {
            var photo: String
            var mode: String
            var origHw: [Int]
            var netHw: [Int]
            var padXy: [Double]
            var inputMean: Double
        }
        var runs: [Run]
    }

    @Test("decode to exactly the reference's pixels")
    func pixels() throws {
        let photos = try SharedFolder.json(Photos.self, "reference/photos/PHOTOS.json").photos
        #expect(photos.count >= 9)
        for photo in photos {
            let bytes = try SharedFolder.bytes("images/photos/" + photo.file)
            let picture = try Picture(decoding: bytes, appliesOrientation: false)
            #expect(picture.size == PixelSize(width: photo.width, height: photo.height))
            #expect(try sha256(picture.pixels) == photo.sha256Rgb, "\(photo.file)")
        }
    }

    @Test("fill a model's input with exactly the reference's mean", arguments: ["square640", "rect640"])
    func inputMean(mode: String) throws {
        let reference = try SharedFolder.json(Reference.self, "reference/yolov5/yolov5n-coco.json")
        let runs = reference.runs.filter { $0.mode == mode }
        #expect(runs.count >= 8)
        for run in runs {
            let bytes = try SharedFolder.bytes("images/photos/" + run.photo)
            let picture = try Picture(decoding: bytes, appliesOrientation: false)
            #expect([picture.height, picture.width] == run.origHw)
            let box = Letterbox(
                picture: picture.size,
                target: PixelSize(width: 640, height: 640),
                fit: mode == "rect640" ? .rect : .square
            )
            #expect([box.input.height, box.input.width] == run.netHw)
            // Half the padding in whole pixels of content, which may end in .5.
            #expect(Double(box.input.width - box.content.width) / 2 == run.padXy[0])
            #expect(Double(box.input.height - box.content.height) / 2 == run.padXy[1])
            let input = try box.rendered(picture, as: PixelEncoding(element: .uint8, scale: 1))
            let mean = Double(input.reduce(0) { $0 + Int($1) }) / Double(input.count)
            // The reference has eight digits.
            #expect(abs(mean - run.inputMean) < 1e-4, "\(run.photo)")
        }
    }

    @Test("taken in all eight orientations stand upright alike")
    func orientations() throws {
        let upright = try Picture(decoding: SharedFolder.bytes("images/photos/exif_portrait_1.jpg"))
        #expect(upright.size == PixelSize(width: 1200, height: 1800))
        for number in 2...8 {
            let turned = try Picture(decoding: SharedFolder.bytes("images/photos/exif_portrait_\(number).jpg"))
            #expect(turned.size == upright.size)
            // Each was compressed by itself; a wrong turn differs by about 70.
            #expect(turned.meanDifference(to: upright) < 6, "orientation \(number)")
        }
    }

    private func sha256(_ bytes: [UInt8]) throws -> String {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("nereid-\(UUID().uuidString).rgb")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(bytes).write(to: file)
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["sha256sum", file.path]
        process.standardOutput = output
        try process.run()
        let line = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return String(decoding: line.prefix(64), as: UTF8.self)
    }
}
