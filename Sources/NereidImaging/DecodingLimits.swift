// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// What a picture may cost. Everything but `duration` is checked before the first pixel is decoded.
public struct DecodingLimits: Sendable, Hashable {
    /// The longest accepted file, in bytes. Default: 64 MiB. Setting: `max_picture_bytes`.
    public var encodedBytes: Int
    /// The longest accepted side, in pixels. Default: 32,768. Setting: `max_picture_side`.
    public var side: Int
    /// The most pixels (width times height). Default: 100,000,000, which take 300 MB as a ``Picture``.
    /// Setting: `max_picture_pixels`.
    public var pixels: Int
    /// How long decoding may take. Default: 10 seconds. Setting: `decode_timeout`.
    ///
    /// The time is looked at every few rows. Formats whose libraries decode a whole picture in one call (WebP, HEIF,
    /// AVIF, interlaced PNG) are looked at before and after that call; they are kept short by `pixels` and
    /// ``pixelsAtOnce``. A progressive JPEG cannot be interrupted either: it is refused beforehand when its number of scans
    /// would take too long.
    public var duration: Duration

    /// The most pixels of a WebP, HEIF or AVIF: half of ``pixels``.
    ///
    /// Their libraries decode the whole picture in one call, which nothing can interrupt, at up to 72 ns for each pixel
    /// (measured): 3.6 s for 50 megapixels.
    public var pixelsAtOnce: Int { pixels / 2 }

    /// Makes limits; what is not named keeps its default.
    public init(
        encodedBytes: Int = 64 * 1024 * 1024,
        side: Int = 32_768,
        pixels: Int = 100_000_000,
        duration: Duration = .seconds(10)
    ) {
        self.encodedBytes = encodedBytes
        self.side = side
        self.pixels = pixels
        self.duration = duration
    }

    /// Throws ``ImagingError/tooLarge(_:value:limit:)`` when the file is longer than allowed.
    func check(encodedBytes count: Int) throws(ImagingError) {
        if count > encodedBytes {
            throw .tooLarge(.encodedBytes, value: count, limit: encodedBytes)
        }
    }

    /// Throws ``ImagingError/tooLarge(_:value:limit:)`` when a picture of this size must not be decoded.
    ///
    /// - Parameter isAtOnce: whether the format is decoded in one call.
    func check(_ size: PixelSize, isAtOnce: Bool = false) throws(ImagingError) {
        let longest = max(size.width, size.height)
        if longest > side {
            throw .tooLarge(.side, value: longest, limit: side)
        }
        let (count, overflow) = size.width.multipliedReportingOverflow(by: size.height)
        if overflow || count > pixels {
            throw .tooLarge(.pixels, value: overflow ? .max : count, limit: pixels)
        }
        if isAtOnce, count > pixelsAtOnce {
            throw .tooLarge(.pixelsAtOnce, value: count, limit: pixelsAtOnce)
        }
    }
}

/// The moment at which decoding has taken too long, or is not wanted any more.
struct DecodingDeadline {
    private let limit: Duration
    private let work: WorkLimit
    private let start = ContinuousClock.now

    init(_ limits: DecodingLimits, _ work: WorkLimit = .unlimited) {
        limit = limits.duration
        self.work = work
    }

    /// Throws ``ImagingError/timedOut(limit:)`` once the time is over, and what the work's own limit throws.
    func check() throws(ImagingError) {
        try work.check()
        if start.duration(to: .now) > limit {
            throw .timedOut(limit: limit)
        }
    }

    /// Throws ``ImagingError/timedOut(limit:)`` when work that cannot be interrupted would run over.
    func check(estimate: Duration) throws(ImagingError) {
        try work.check()
        if start.duration(to: .now) + estimate > limit {
            throw .timedOut(limit: limit)
        }
    }
}
