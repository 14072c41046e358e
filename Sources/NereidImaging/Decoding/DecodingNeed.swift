// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// What the decoding of a picture takes: memory at its peak, and time. It is known as soon as the header is.
///
/// The factors are measured (libvips 8.14, libwebp 1.2, libheif 1.15, libjpeg-turbo 2.1; pictures of 9 and 25 megapixels, flat
/// and full of noise) and rounded up. Bytes for each pixel, the picture's own three included:
///
/// | format | formula | measured |
/// |---|---|---|
/// | JPEG, one scan | 3; turned 6; CMYK 7 | 3 |
/// | JPEG, several scans | 3, CMYK 4, and 2 for each channel, as all coefficients are kept | |
/// | PNG | 6; interlaced 4 + samples | 3.4; 6.1, 11.1 with 8 bytes of samples |
/// | TIFF | 4 + 2 · samples, as one tile may hold the whole picture | 3.5 in strips, 9.0 in large tiles |
/// | WebP | 12 | 10.4, with alpha 11.5 |
/// | HEIF, AVIF | 3 + 3 · samples | 7.2 to 10.7 with 3 bytes of samples |
/// | BMP, GIF | 3 | |
public struct DecodingNeed: Sendable, Hashable {
    /// The most bytes held at one time, the decoded picture included.
    public var bytes: Int
    /// About how long it takes on one core.
    public var duration: Duration
    /// The bytes that the decoded picture keeps.
    public var keptBytes: Int
    /// Whether it counts among the large pictures.
    var isLarge = false

    /// A picture that keeps its thread for longer is a large one.
    static let longest = Duration.milliseconds(500)

    /// - Parameters:
    ///   - bytesPerPixel: at the peak.
    ///   - nanoseconds: for each pixel.
    ///   - isTurned: whether the picture may have to be turned upright, which takes a second copy.
    init(_ size: PixelSize, bytesPerPixel: Int, nanoseconds: Int, isTurned: Bool = true) {
        let pixels = size.pixelCount
        bytes = pixels * max(bytesPerPixel, isTurned ? 6 : 3)
        duration = .nanoseconds(pixels * nanoseconds)
        keptBytes = pixels * 3
    }

    /// Memory for drawing and encoding, which follow: a copy of the pixels and, at worst, as many bytes of the encoded picture.
    mutating func keepRoomForDrawing() {
        keptBytes *= 3
        bytes = max(bytes, keptBytes)
    }
}

/// Where decoding asks for memory, once it knows what it needs and before it takes any.
final class DecodingGate {
    private let budget: DecodingBudget
    private let isDrawnOn: Bool
    private let take: (DecodingNeed) -> DecodingMemory?
    private var need: DecodingNeed?
    /// What was asked for and is not there now.
    private(set) var refused: DecodingNeed?
    private var memory: DecodingMemory?

    /// - Parameters:
    ///   - budget: what is there for all pictures.
    ///   - isDrawnOn: whether memory is kept for drawing and encoding too.
    ///   - take: gives memory if it is there.
    init(_ budget: DecodingBudget, isDrawnOn: Bool, take: @escaping (DecodingNeed) -> DecodingMemory?) {
        (self.budget, self.isDrawnOn, self.take) = (budget, isDrawnOn, take)
    }

    /// Takes the memory.
    ///
    /// - Throws: ``ImagingError/tooLarge(_:value:limit:)`` when there will never be as much; ``ImagingError/cancelled`` when it
    ///   is not there now, and then ``refused`` says so.
    func admit(_ asked: DecodingNeed) throws(ImagingError) {
        var need = asked
        if isDrawnOn { need.keepRoomForDrawing() }
        guard need.bytes <= budget.most else { throw .tooLarge(.memory, value: need.bytes, limit: budget.most) }
        need.isLarge = need.bytes > budget.mostOfSmall || need.duration > DecodingNeed.longest
        guard let memory = take(need) else {
            refused = need
            throw .cancelled
        }
        (self.need, self.memory) = (need, memory)
    }

    /// The memory that the decoded picture keeps.
    func keptMemory() -> DecodingMemory? {
        if let need { memory?.shrink(to: need.keptBytes) }
        return memory
    }
}
