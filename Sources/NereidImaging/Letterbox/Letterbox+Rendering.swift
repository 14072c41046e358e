// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension Letterbox {
    /// Resizes, pads and encodes a picture straight into a model's input, in one pass and without a copy of either.
    ///
    /// Resizing is OpenCV's bilinear one on 8-bit pixels, which the frameworks use, down to its rounding. Takes about
    /// 2 ms for 1920×1080 into 640×640; call it on the thread that runs the model or through ``ImagingPool``.
    ///
    /// - Parameters:
    ///   - picture: The picture that this letterbox was planned for.
    ///   - encoding: How the model wants its pixels.
    ///   - destination: Room for ``PixelEncoding/byteCount(for:)`` bytes behind the offset; the rest is left as it is.
    ///     No alignment is needed.
    ///   - offset: Where in the destination the input begins, in bytes, 0 or more: its place in a batch. Default: 0.
    /// - Throws: ``ImagingError/wrongPictureSize(_:expected:)``, ``ImagingError/destinationTooSmall(bytes:needed:)``.
    public func render(
        _ picture: Picture,
        as encoding: PixelEncoding,
        into destination: inout MutableRawSpan,
        at offset: Int = 0
    ) throws {
        guard picture.size == self.picture else {
            throw ImagingError.wrongPictureSize(picture.size, expected: self.picture)
        }
        let needed = offset + encoding.byteCount(for: input)
        guard destination.byteCount >= needed else {
            throw ImagingError.destinationTooSmall(bytes: destination.byteCount, needed: needed)
        }
        destination.withUnsafeMutableBytes { destination in
            guard let memory = destination.baseAddress.map({ $0 + offset }) else { return }
            switch encoding.element {
            case .float32:
                render(picture, encoding, table: encoding.table { $0 }, into: memory)
            case .float16:
                render(picture, encoding, table: encoding.table { Float16($0) }, into: memory)
            case .uint8:
                render(
                    picture,
                    encoding,
                    table: encoding.table { $0.isNaN ? 0 : UInt8(min(max($0.rounded(), 0), 255)) },
                    into: memory
                )
            }
        }
    }

    private func render<Element: BitwiseCopyable>(
        _ picture: Picture,
        _ encoding: PixelEncoding,
        table: [Element],
        into memory: UnsafeMutableRawPointer
    ) {
        let target = TensorWriter(memory: memory, input: input, encoding: encoding, table: table)
        target.fill(rows: 0..<top)
        target.fill(rows: top + content.height..<input.height)
        target.fill(rows: top..<top + content.height, columns: 0..<left)
        target.fill(rows: top..<top + content.height, columns: left + content.width..<input.width)
        var resampler = PictureResampler(from: picture.size, to: content)
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: content.width * 3) { row in
            picture.pixels.withUnsafeBufferPointer { pixels in
                for y in 0..<content.height {
                    resampler.resample(pixels, row: y, into: row)
                    target.write(row, row: top + y, column: left)
                }
            }
        }
    }
}

/// Knows where in a model's input each value belongs, and what it is.
private struct TensorWriter<Element: BitwiseCopyable> {
    private let memory: UnsafeMutableRawPointer
    private let input: PixelSize
    private let padding: Int
    private let table: [Element]
    /// The model's channels in which red, green and blue go.
    private let channels: [Int]
    /// Elements from one channel of a pixel to the next, and from one pixel to the next.
    private let channelStride: Int
    private let pixelStride: Int

    init(memory: UnsafeMutableRawPointer, input: PixelSize, encoding: PixelEncoding, table: [Element]) {
        self.memory = memory
        self.input = input
        self.table = table
        padding = Int(encoding.padding)
        channels = encoding.channels == .rgb ? [0, 1, 2] : [2, 1, 0]
        (channelStride, pixelStride) = encoding.layout == .planar ? (input.pixelCount, 1) : (1, 3)
    }

    /// Writes one row of RGB pixels.
    func write(_ pixels: UnsafeMutableBufferPointer<UInt8>, row: Int, column: Int) {
        table.withUnsafeBufferPointer { table in
            for (source, channel) in channels.enumerated() {
                let values = UnsafeBufferPointer(rebasing: table[channel * 256..<(channel + 1) * 256])
                var address = address(channel: channel, row: row, column: column)
                let step = pixelStride * MemoryLayout<Element>.stride
                for index in stride(from: source, to: pixels.count, by: 3) {
                    address.storeBytes(of: values[Int(pixels[index])], as: Element.self)
                    address += step
                }
            }
        }
    }

    /// Fills a rectangle with padding.
    func fill(rows: Range<Int>, columns: Range<Int>? = nil) {
        let columns = columns ?? 0..<input.width
        for channel in 0..<3 {
            let value = table[channel * 256 + padding]
            for row in rows {
                var address = address(channel: channel, row: row, column: columns.lowerBound)
                for _ in columns {
                    address.storeBytes(of: value, as: Element.self)
                    address += pixelStride * MemoryLayout<Element>.stride
                }
            }
        }
    }

    private func address(channel: Int, row: Int, column: Int) -> UnsafeMutableRawPointer {
        let index = channel * channelStride + (row * input.width + column) * pixelStride
        return memory + index * MemoryLayout<Element>.stride
    }
}
