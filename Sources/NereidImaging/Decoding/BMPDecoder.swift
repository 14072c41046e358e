// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Decodes a BMP with 8, 24 or 32 bits per pixel, uncompressed, stored from the bottom or from the top.
///
/// Format: Microsoft's `BITMAPFILEHEADER` followed by `BITMAPCOREHEADER` (12 bytes) or `BITMAPINFOHEADER` and its
/// longer successors (40 bytes and more). Rows are padded to four bytes; pixels are blue, green, red. The fourth byte
/// of 32 bits is not looked at.
func decodeBMP(
    _ bytes: UnsafeRawBufferPointer,
    limits: DecodingLimits,
    deadline: DecodingDeadline,
    gate: DecodingGate? = nil
) throws(ImagingError) -> DecodedPixels {
    let file = ByteReader(bytes: bytes, isBigEndian: false)
    let header = try BMPHeader(file)
    try limits.check(header.size)
    try gate?.admit(DecodingNeed(header.size, bytesPerPixel: 3, nanoseconds: 3, isTurned: false))
    let rowBytes = (header.size.width * header.bitsPerPixel + 31) / 32 * 4
    guard let stored = file.slice(at: header.pixelOffset, count: rowBytes * header.size.height) else {
        throw .damaged(.bmp, reason: "its pixels are cut short")
    }
    let palette = header.bitsPerPixel == 8 ? try header.palette(in: file) : []
    var badIndex: UInt8?
    var outcome = Result<Void, ImagingError>.success(())
    let pixels = [UInt8](unsafeUninitializedCapacity: header.size.pixelCount * 3) { pixels, count in
        for y in 0..<header.size.height {
            outcome = Result { () throws(ImagingError) in try deadline.check() }
            guard case .success = outcome else { return }
            let row = (header.isTopDown ? y : header.size.height - 1 - y) * rowBytes
            for x in 0..<header.size.width {
                let to = count
                count += 3
                if header.bitsPerPixel == 8 {
                    let index = stored.bytes[row + x]
                    guard palette.indices.contains(Int(index)) else {
                        badIndex = index
                        pixels[to..<count].initialize(repeating: 0)
                        continue
                    }
                    let colour = palette[Int(index)]
                    (pixels[to], pixels[to + 1], pixels[to + 2]) = (colour.red, colour.green, colour.blue)
                } else {
                    let from = row + x * header.bitsPerPixel / 8
                    pixels[to] = stored.bytes[from + 2]
                    pixels[to + 1] = stored.bytes[from + 1]
                    pixels[to + 2] = stored.bytes[from]
                }
            }
        }
    }
    try outcome.get()
    if let badIndex {
        throw .damaged(.bmp, reason: "a pixel has colour \(badIndex) of a palette of \(palette.count)")
    }
    return DecodedPixels(size: header.size, pixels: pixels)
}

/// What the headers of a BMP say, checked.
private struct BMPHeader {
    struct Colour {
        var red, green, blue: UInt8
    }

    let size: PixelSize
    let isTopDown: Bool
    let bitsPerPixel: Int
    let pixelOffset: Int
    private let headerBytes: Int
    private let paletteColours: Int

    private static let fileHeaderBytes = 14

    init(_ file: ByteReader) throws(ImagingError) {
        let start = Self.fileHeaderBytes
        guard let pixelOffset = file.uint32(at: 10), let headerBytes = file.uint32(at: start) else {
            throw .damaged(.bmp, reason: "its header is cut short")
        }
        let isCore = headerBytes == 12
        guard isCore || (40...124).contains(headerBytes) else {
            throw .unsupportedKind("a BMP with a header of \(headerBytes) bytes")
        }
        guard
            let width = isCore ? file.uint16(at: start + 4) : file.int32(at: start + 4),
            let height = isCore ? file.uint16(at: start + 6) : file.int32(at: start + 8),
            let planes = file.uint16(at: start + (isCore ? 8 : 12)),
            let bits = file.uint16(at: start + (isCore ? 10 : 14)),
            let compression = isCore ? 0 : file.uint32(at: start + 16),
            let colours = isCore ? 0 : file.uint32(at: start + 32)
        else { throw .damaged(.bmp, reason: "its header is cut short") }
        guard planes == 1 else { throw .damaged(.bmp, reason: "it announces \(planes) colour planes instead of one") }
        guard compression == 0 else {
            let name = Self.compressionNames[compression] ?? "compression \(compression)"
            throw .unsupportedKind("a BMP with \(name); only uncompressed ones are read")
        }
        guard [1, 2, 4, 8, 16, 24, 32].contains(bits) else {
            throw .damaged(.bmp, reason: "it announces \(bits) bits per pixel")
        }
        guard [8, 24, 32].contains(bits) else {
            throw .unsupportedKind("a BMP with \(bits) bits per pixel; only 8, 24 and 32 are read")
        }
        guard width > 0, height != 0 else {
            throw .damaged(.bmp, reason: "it announces \(width)×\(height) pixels")
        }
        size = PixelSize(width: width, height: abs(height))
        isTopDown = height < 0
        bitsPerPixel = bits
        self.pixelOffset = pixelOffset
        self.headerBytes = headerBytes
        paletteColours = colours == 0 ? 256 : colours
    }

    /// The palette, which stands between headers and pixels: blue, green, red and, except in the oldest header, a
    /// byte of nothing.
    func palette(in file: ByteReader) throws(ImagingError) -> [Colour] {
        let start = Self.fileHeaderBytes + headerBytes
        let colourBytes = headerBytes == 12 ? 3 : 4
        // Old programs leave the count at 256 and write fewer colours: what does not fit before the pixels is not there.
        let count = min(paletteColours, 256, max(pixelOffset - start, 0) / colourBytes)
        guard let colours = file.slice(at: start, count: count * colourBytes)?.bytes else {
            throw .damaged(.bmp, reason: "its palette is cut short")
        }
        return (0..<count).map { index in
            let offset = index * colourBytes
            return Colour(red: colours[offset + 2], green: colours[offset + 1], blue: colours[offset])
        }
    }

    private static let compressionNames = [
        1: "8-bit run lengths", 2: "4-bit run lengths", 3: "colour masks", 4: "a JPEG inside", 5: "a PNG inside",
        6: "colour and alpha masks",
    ]
}
