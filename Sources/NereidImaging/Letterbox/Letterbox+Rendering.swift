// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension Letterbox {
    /// Resizes, pads and encodes a picture straight into a model's input, in one pass and without a copy of either.
    ///
    /// Resizing is that of OpenCV or Pillow, as ``resampling`` says, down to its rounding. OpenCV's bilinear one takes about
    /// 2 ms for 1920×1080 into 640×640; call it on the thread that runs the model or through ``ImagingPool``.
    ///
    /// - Parameters:
    ///   - picture: The picture that this letterbox was planned for.
    ///   - encoding: How the model wants its pixels.
    ///   - destination: Room for ``PixelEncoding/byteCount(for:)`` bytes behind the offset; the rest is left as it is.
    ///     No alignment is needed.
    ///   - offset: Where in the destination the input begins, in bytes, 0 or more: its place in a batch. Default: 0.
    ///   - limit: When the work must stop; looked at for every row. Default: not before it has ended.
    /// - Throws: ``ImagingError/wrongPictureSize(_:expected:)``, ``ImagingError/destinationTooSmall(bytes:needed:)``; what the
    ///   limit throws.
    public func render(
        _ picture: Picture,
        as encoding: PixelEncoding,
        into destination: inout MutableRawSpan,
        at offset: Int = 0,
        limit: WorkLimit = .unlimited
    ) throws {
        guard picture.size == self.picture else {
            throw ImagingError.wrongPictureSize(picture.size, expected: self.picture)
        }
        let needed = offset + encoding.byteCount(for: input)
        guard destination.byteCount >= needed else {
            throw ImagingError.destinationTooSmall(bytes: destination.byteCount, needed: needed)
        }
        try destination.withUnsafeMutableBytes { destination throws in
            guard let memory = destination.baseAddress.map({ $0 + offset }) else { return }
            switch encoding.element {
            case .float32:
                try render(picture, encoding, into: memory, limit) { $0 }
            case .float16:
                try render(picture, encoding, into: memory, limit) { Float16($0) }
            case .uint8:
                try render(picture, encoding, into: memory, limit) {
                    $0.isNaN ? 0 : UInt8(min(max($0.rounded(), 0), 255))
                }
            }
        }
    }

    private func render<Element: BitwiseCopyable>(
        _ picture: Picture,
        _ encoding: PixelEncoding,
        into memory: UnsafeMutableRawPointer,
        _ limit: WorkLimit,
        as convert: (Float) -> Element
    ) throws(ImagingError) {
        let target = TensorWriter(
            memory: memory,
            input: input,
            encoding: encoding,
            table: encoding.table(convert),
            zero: convert(0)
        )
        try target.fill(rows: 0..<max(top, 0), limit)
        try target.fill(rows: min(top + content.height, input.height)..<input.height, limit)
        try target.fill(rows: rows, columns: 0..<max(left, 0), limit)
        try target.fill(rows: rows, columns: min(left + content.width, input.width)..<input.width, limit)
        let stride = picture.width * 3
        let first = window.top * stride + window.left * 3
        try picture.pixels.withUnsafeBufferPointer { pixels throws(ImagingError) in
            let pixels = UnsafeBufferPointer(rebasing: pixels[first...])
            switch resampling {
            case .bilinear:
                try write(PictureResampler(from: window.size, stride: stride, to: content), pixels, limit) {
                    target.write($0, row: $1, column: $2)
                }
            case .antialiased:
                try write(AntialiasedResampler(from: window.size, stride: stride, to: content), pixels, limit) {
                    target.write($0, row: $1, column: $2)
                }
            case .precise:
                try write(PreciseResampler(from: window.size, stride: stride, to: content), pixels, limit) {
                    target.write($0, row: $1, column: $2) { convert(encoding.value(of: $0, channel: $1)) }
                }
            }
        }
    }

    /// The rows of the input that show the picture.
    private var rows: Range<Int> { max(top, 0)..<min(top + content.height, input.height) }

    /// Resizes the rows that are to be seen and hands over of each what is to be seen of it, with its row and first column
    /// in the input.
    private func write<Resampler: RowResampler & ~Copyable>(
        _ resampler: consuming Resampler,
        _ pixels: UnsafeBufferPointer<UInt8>,
        _ limit: WorkLimit,
        _ body: (UnsafeMutableBufferPointer<Resampler.Value>, Int, Int) -> Void
    ) throws(ImagingError) {
        let columns = max(left, 0)..<min(left + content.width, input.width)
        var resampler = resampler
        let row = UnsafeMutableBufferPointer<Resampler.Value>.allocate(capacity: content.width * 3)
        defer { row.deallocate() }
        let seen = UnsafeMutableBufferPointer(
            rebasing: row[(columns.lowerBound - left) * 3..<(columns.upperBound - left) * 3]
        )
        for y in rows {
            try limit.check()
            resampler.resample(pixels, row: y - top, into: row)
            body(seen, y, columns.lowerBound)
        }
    }
}

/// Resizes a picture row by row.
protocol RowResampler: ~Copyable {
    /// What a channel of a resized pixel is.
    associatedtype Value: BitwiseCopyable

    /// Computes row `y` of the target into `row`, three values a pixel. Rows are asked for from the top; some may be left out.
    ///
    /// - Parameter pixels: the source's pixels, beginning with its top left one.
    mutating func resample(
        _ pixels: UnsafeBufferPointer<UInt8>,
        row y: Int,
        into row: UnsafeMutableBufferPointer<Value>
    )
}

/// Knows where in a model's input each value belongs, and what it is.
private struct TensorWriter<Element: BitwiseCopyable> {
    private let memory: UnsafeMutableRawPointer
    private let input: PixelSize
    /// What is written around the picture, for each channel.
    private let padding: [Element]
    private let table: [Element]
    /// The model's channels in which red, green and blue go.
    private let channels: [Int]
    /// Elements from one channel of a pixel to the next, and from one pixel to the next.
    private let channelStride: Int
    private let pixelStride: Int

    init(memory: UnsafeMutableRawPointer, input: PixelSize, encoding: PixelEncoding, table: [Element], zero: Element) {
        self.memory = memory
        self.input = input
        self.table = table
        padding = (0..<3).map { encoding.padsWithZero ? zero : table[$0 * 256 + Int(encoding.padding)] }
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

    /// Writes one row of RGB pixels that are no whole numbers.
    func write(
        _ pixels: UnsafeMutableBufferPointer<Float>,
        row: Int,
        column: Int,
        as convert: (_ pixel: Float, _ channel: Int) -> Element
    ) {
        for (source, channel) in channels.enumerated() {
            var address = address(channel: channel, row: row, column: column)
            let step = pixelStride * MemoryLayout<Element>.stride
            for index in stride(from: source, to: pixels.count, by: 3) {
                address.storeBytes(of: convert(pixels[index], channel), as: Element.self)
                address += step
            }
        }
    }

    /// Fills a rectangle with padding.
    func fill(rows: Range<Int>, columns: Range<Int>? = nil, _ limit: WorkLimit) throws(ImagingError) {
        let columns = columns ?? 0..<input.width
        for channel in 0..<3 {
            let value = padding[channel]
            for row in rows {
                try limit.check()
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
