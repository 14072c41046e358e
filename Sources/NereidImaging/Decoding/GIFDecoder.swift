// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Decodes the first picture of a GIF.
///
/// It is read here and not by libvips, because a pixel that is transparent keeps the colour that its palette has for it, as
/// in Pillow's `convert("RGB")`; libvips makes it black. Where the first picture does not cover the screen, the rest has the
/// transparent colour of the palette, or its first one.
///
/// Format: CompuServe's Graphics Interchange Format, version 89a.
func decodeGIF(
    _ bytes: UnsafeRawBufferPointer,
    limits: DecodingLimits,
    deadline: DecodingDeadline,
    gate: DecodingGate? = nil
) throws(ImagingError) -> DecodedPixels {
    let outline = try GIFOutline(bytes)
    try limits.check(outline.size)
    try gate?.admit(DecodingNeed(outline.size, bytesPerPixel: 3, nanoseconds: 20, isTurned: false))
    try deadline.check()
    let (size, frame) = (outline.size, outline.frame)
    var outcome = Result<Void, ImagingError>.success(())
    let pixels = [UInt8](unsafeUninitializedCapacity: size.pixelCount * 3) { pixels, count in
        let background = outline.colour(outline.transparentIndex ?? 0)
        for pixel in 0..<size.pixelCount { pixels.set(pixel, background) }
        count = size.pixelCount * 3
        outcome = Result { () throws(ImagingError) in
            var codes = try GIFCodes(outline.file, at: outline.codesOffset)
            for row in 0..<frame.height {
                try deadline.check()
                let start = (outline.top + outline.place(ofRow: row)) * size.width + outline.left
                for column in 0..<frame.width {
                    pixels.set(start + column, outline.colour(Int(try codes.next())))
                }
            }
        }
    }
    try outcome.get()
    return DecodedPixels(size: size, pixels: pixels)
}

extension UnsafeMutableBufferPointer<UInt8> {
    fileprivate func set(_ pixel: Int, _ colour: (UInt8, UInt8, UInt8)) {
        (self[pixel * 3], self[pixel * 3 + 1], self[pixel * 3 + 2]) = colour
    }
}

/// What stands in a GIF before the first picture's pixels.
private struct GIFOutline {
    let file: ByteReader
    /// The size of the screen, made larger where the picture goes beyond it.
    let size: PixelSize
    let left: Int
    let top: Int
    let frame: PixelSize
    let transparentIndex: Int?
    /// Where the pixels' codes begin.
    let codesOffset: Int
    private let isInterlaced: Bool
    /// The palette that holds for the picture; `nil`: numbers are shades of grey.
    private let palette: ByteReader?

    init(_ bytes: UnsafeRawBufferPointer) throws(ImagingError) {
        let file = ByteReader(bytes: bytes, isBigEndian: false)
        guard let screenWidth = file.uint16(at: 6), let screenHeight = file.uint16(at: 8),
            let flags = file.uint8(at: 10)
        else { throw Self.cutShort }
        var offset = 13
        var palette: ByteReader?
        if flags & 0x80 != 0 {
            palette = file.slice(at: offset, count: 3 << (flags & 7 + 1))
            offset += 3 << (flags & 7 + 1)
        }
        var transparentIndex: Int?
        while true {
            guard let kind = file.uint8(at: offset) else { throw Self.cutShort }
            offset += 1
            if kind == 0x2C { break }
            if kind == 0x3B { throw .damaged(.gif, reason: "it ends before the first picture") }
            // Other bytes between blocks are passed over, as by other readers.
            guard kind == 0x21 else { continue }
            if file.uint8(at: offset) == 0xF9, let length = file.uint8(at: offset + 1), length >= 4,
                let flags = file.uint8(at: offset + 2), let index = file.uint8(at: offset + 5)
            {
                transparentIndex = flags & 1 == 1 ? index : nil
            }
            offset += 1
            while let length = file.uint8(at: offset), length > 0 { offset += 1 + length }
            offset += 1
        }
        guard let left = file.uint16(at: offset), let top = file.uint16(at: offset + 2),
            let width = file.uint16(at: offset + 4), let height = file.uint16(at: offset + 6),
            let own = file.uint8(at: offset + 8)
        else { throw Self.cutShort }
        offset += 9
        if own & 0x80 != 0 {
            palette = file.slice(at: offset, count: 3 << (own & 7 + 1))
            offset += 3 << (own & 7 + 1)
        }
        guard width > 0, height > 0 else {
            throw .damaged(.gif, reason: "its first picture has \(width)×\(height) pixels")
        }
        self.file = file
        size = PixelSize(width: max(screenWidth, left + width), height: max(screenHeight, top + height))
        (self.left, self.top, frame) = (left, top, PixelSize(width: width, height: height))
        self.transparentIndex = transparentIndex
        codesOffset = offset
        isInterlaced = own & 0x40 != 0
        self.palette = palette
    }

    /// The colour of a number; one beyond the palette is black, as in Pillow.
    func colour(_ index: Int) -> (UInt8, UInt8, UInt8) {
        guard let bytes = palette?.bytes else { return (UInt8(index), UInt8(index), UInt8(index)) }
        guard index * 3 + 2 < bytes.count else { return (0, 0, 0) }
        return (bytes[index * 3], bytes[index * 3 + 1], bytes[index * 3 + 2])
    }

    /// Where the row that comes at a place in the file belongs in the picture: interlaced ones come in four passes.
    func place(ofRow row: Int) -> Int {
        guard isInterlaced else { return row }
        var row = row
        for (first, step) in [(0, 8), (4, 8), (2, 4)] {
            let rows = max(0, (frame.height - first + step - 1) / step)
            if row < rows { return first + row * step }
            row -= rows
        }
        return 1 + row * 2
    }

    static let cutShort = ImagingError.damaged(.gif, reason: "it is cut short before the first picture's pixels")
}

/// Unpacks the numbers of a picture's pixels: variable-length-code LZW (appendix F of the format).
private struct GIFCodes {
    private let file: ByteReader
    private var position: Int
    /// Bytes left in the current block of data.
    private var blockLeft = 0
    private var bits: UInt32 = 0
    private var bitCount = 0

    private let literalBits: Int
    private var codeBits: Int
    /// For each code, the code before its last number, the last number and the first.
    private var prefixes = [UInt16](repeating: 0, count: GIFCodes.mostCodes)
    private var suffixes = [UInt8](repeating: 0, count: GIFCodes.mostCodes)
    private var firsts = [UInt8](repeating: 0, count: GIFCodes.mostCodes)
    private var codeCount: Int
    private var previous: Int?
    /// Numbers that are unpacked and not taken yet, the next one last.
    private var pending: [UInt8] = []

    private static let mostCodes = 4096
    private var clear: Int { 1 << literalBits }

    init(_ file: ByteReader, at offset: Int) throws(ImagingError) {
        guard let literalBits = file.uint8(at: offset) else { throw Self.cutShort }
        guard (1...8).contains(literalBits) else {
            throw .damaged(.gif, reason: "its pixels begin with codes of \(literalBits) bits")
        }
        self.file = file
        self.literalBits = literalBits
        position = offset + 1
        codeBits = literalBits + 1
        codeCount = 1 << literalBits + 2
        for literal in 0..<1 << literalBits {
            (suffixes[literal], firsts[literal]) = (UInt8(literal), UInt8(literal))
        }
        pending.reserveCapacity(Self.mostCodes)
    }

    /// The next pixel's number.
    mutating func next() throws(ImagingError) -> UInt8 {
        while true {
            if let number = pending.popLast() { return number }
            try unpack()
        }
    }

    private mutating func unpack() throws(ImagingError) {
        let code = try nextCode()
        if code == clear {
            codeBits = literalBits + 1
            codeCount = clear + 2
            previous = nil
            return
        }
        guard code != clear + 1 else { throw Self.cutShort }
        guard let last = previous else {
            guard code < clear else { throw Self.impossible }
            pending.append(suffixes[code])
            previous = code
            return
        }
        guard code < codeCount || code == codeCount && codeCount < Self.mostCodes else { throw Self.impossible }
        // A code that is only being made is the last one and its first number again.
        var link = code
        if code == codeCount {
            pending.append(firsts[last])
            link = last
        }
        while link > clear {
            pending.append(suffixes[link])
            link = Int(prefixes[link])
        }
        pending.append(suffixes[link])
        if codeCount < Self.mostCodes {
            prefixes[codeCount] = UInt16(last)
            suffixes[codeCount] = suffixes[link]
            firsts[codeCount] = firsts[last]
            codeCount += 1
            if codeCount == 1 << codeBits, codeBits < 12 { codeBits += 1 }
        }
        previous = code
    }

    private mutating func nextCode() throws(ImagingError) -> Int {
        while bitCount < codeBits {
            if blockLeft == 0 {
                guard let length = file.uint8(at: position), length > 0 else { throw Self.cutShort }
                blockLeft = length
                position += 1
            }
            guard let byte = file.uint8(at: position) else { throw Self.cutShort }
            bits |= UInt32(byte) << UInt32(bitCount)
            bitCount += 8
            position += 1
            blockLeft -= 1
        }
        let code = bits & (1 << UInt32(codeBits) - 1)
        bits >>= UInt32(codeBits)
        bitCount -= codeBits
        return Int(code)
    }

    private static let cutShort = ImagingError.damaged(.gif, reason: "its pixels are cut short")
    private static let impossible = ImagingError.damaged(
        .gif,
        reason: "its pixels hold a code that was not made before"
    )
}
