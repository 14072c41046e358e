// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import Testing

@testable import NereidImaging

/// Every valid file of the shared folder is decoded at the size that its header announces, or refused for the right
/// reason.
@Suite("Shared formats", .enabled(if: SharedFolder.isThere, SharedFolder.absence))
struct FormatTests {
    static let files = SharedFolder.files(in: "images/formats")

    @Test("are all there")
    func count() {
        #expect(Self.files.count > 300)
    }

    @Test("decode to their size, or are refused for the right reason", arguments: files)
    func decode(path: String) throws {
        let bytes = try SharedFolder.bytes(path)
        let result = Result { try Picture(decoding: bytes, appliesOrientation: false) }
        switch try expectation(path, Array(bytes.readableBytesView)) {
        case .notAPicture:
            switch result {
            case .failure(ImagingError.notAPicture), .failure(ImagingError.foreign): break
            default: Issue.record("not refused as something else than a picture: \(result)")
            }
        case .unsupported:
            guard case .failure(ImagingError.unsupportedKind(let kind)) = result else {
                Issue.record("not refused as unsupported: \(result)")
                return
            }
            #expect(!kind.isEmpty)
        case .picture(let format, let size):
            let picture = try result.get()
            #expect(picture.format == format)
            #expect(picture.size == size)
            #expect(picture.pixels.count == size.pixelCount * 3)
        case .pictureIfInstalled(let size):
            do {
                // Rotation within the container may have swapped the sides.
                let found = try result.get().size
                #expect(found == size || found == size.transposed)
            } catch ImagingError.unsupportedKind(let kind) {
                #expect(!kind.isEmpty)
            }
        }
    }

    private enum Expectation {
        case picture(PictureFormat, PixelSize)
        /// Depends on what the installed libraries were built with.
        case pictureIfInstalled(PixelSize)
        case unsupported
        case notAPicture
    }

    private func expectation(_ path: String, _ bytes: [UInt8]) throws -> Expectation {
        let name = path.split(separator: "/").last.map(String.init) ?? path
        let format: PictureFormat
        switch name.split(separator: ".").last {
        // One of these is a PNG by its content.
        case "jpg": format = bytes.starts(with: [0x89, 0x50]) ? .png : .jpeg
        case "tif", "tiff": format = .tiff
        case "avifs": format = .avif
        case "ico", "ppm", "qoi": return .unsupported
        case let suffix?:
            guard let named = PictureFormat(rawValue: String(suffix)) else { return .notAPicture }
            format = named
        case nil: return .notAPicture
        }
        if name == "jpeg_lossless_sel1.jpg" { return .unsupported }
        let size = try #require(announcedSize(bytes, format))
        switch format {
        case .bmp:
            // A core header has no compression; its bits stand elsewhere.
            let isCore = bytes[14] == 12
            let bits = bytes[isCore ? 24 : 28]
            return [8, 24, 32].contains(bits) && (isCore || bytes[30] == 0) ? .picture(.bmp, size) : .unsupported
        case .heif, .avif: return .pictureIfInstalled(size)
        // Tiles in separate planes, and WebP inside, are beyond some releases of libvips and libtiff.
        case .tiff where ["tiff_tiled_planar_16bit_RGB.tiff", "hopper_webp.tif"].contains(name):
            return .pictureIfInstalled(size)
        default: return .picture(format, size)
        }
    }

    @Test("stand upright as they ask", arguments: 2...8, ["jpg", "webp"])
    func orientation(number: Int, suffix: String) throws {
        let stored = try SharedFolder.bytes("images/formats/pillow/hopper_orientation_\(number).\(suffix)")
        let upright = try SharedFolder.bytes("images/formats/pillow/hopper.\(suffix)")
        let difference = try Picture(decoding: stored).meanDifference(to: Picture(decoding: upright))
        // Compressed each by itself; lying down they differ by more than 40.
        #expect(difference < 12, "\(difference)")
    }

    @Test("of 16 bits keep the high byte", arguments: ["basn0g16", "basn2c16", "basn4a16", "basn6a16"])
    func highByte(name: String) throws {
        let bytes = try SharedFolder.bytes("images/formats/pngsuite/\(name).png")
        let picture = try Picture(decoding: bytes)
        #expect(picture.size == PixelSize(width: 32, height: 32))
        #expect(Set(picture.pixels).count > 8)
    }

    @Test("in CMYK come out in natural colours")
    func inks() throws {
        let inks = try Picture(decoding: SharedFolder.bytes("images/formats/pillow/pil_sample_cmyk.jpg"))
        let light = try Picture(decoding: SharedFolder.bytes("images/formats/pillow/pil_sample_rgb.jpg"))
        #expect(inks.size == light.size)
        // Without the inversion they differ by more than 100.
        #expect(inks.meanDifference(to: light) < 40)
    }
}
