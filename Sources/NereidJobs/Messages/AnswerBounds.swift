// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import NereidImaging
import NereidVision

/// The most that an answer may hold which comes from elsewhere. Whoever may write to the queue may write anything: sizes are
/// checked before anything is expanded by them.
struct AnswerBounds: Sendable, Hashable {
    /// The longest side of the picture.
    var side: Int
    /// The most pixels of the picture.
    var pixels: Int
    /// The most detections.
    var detections: Int
    /// The most classes of a whole picture.
    var classifications: Int

    /// What no request may ask for more of.
    static let most = 10_000
    /// The JSON of an answer, in bytes.
    static let bytes = 32 << 20
    /// Numbers and texts in an answer: its commas, which are counted before it is read.
    static let values = 4 << 20
    /// Bytes of a label.
    static let labelBytes = 1000
    /// Characters of a reason.
    static let reasonLength = 2000
    static let keypoints = 1000
    static let classID = 1_000_000
    /// Pieces of columns that all masks of an answer may have together: the work of drawing their borders.
    static let columnPieces = 4 << 20

    /// - Parameters:
    ///   - pictures: what a picture may be at most.
    ///   - options: what was asked.
    init(pictures: DecodingLimits = .init(), options: PredictionOptions = .init()) {
        side = pictures.side
        pixels = pictures.pixels
        detections = min(options.maxDetections ?? Self.most, Self.most)
        classifications = min(options.topClasses ?? Self.most, Self.most)
    }

    /// Answers that this process has written itself, under whatever limits it had.
    static let ownDatabase = {
        var bounds = AnswerBounds()
        (bounds.side, bounds.pixels) = (.max, .max)
        return bounds
    }()

    /// Why an answer is not read; `nil` when it may be.
    static func obstacle(to json: ByteBuffer) -> String? {
        guard json.readableBytes > 0 else { return "it is empty, or too large to be kept" }
        guard json.readableBytes <= bytes else { return "it has \(json.readableBytes) bytes, more than \(bytes)" }
        let commas = json.withUnsafeReadableBytes { bytes in
            bytes.reduce(into: 0) { if $1 == UInt8(ascii: ",") { $0 += 1 } }
        }
        return commas < values ? nil : "it has \(commas) values, more than \(values)"
    }

    func contains(_ size: PixelSize) -> Bool {
        guard (1...side).contains(size.width), (1...side).contains(size.height) else { return false }
        let (area, overflow) = size.width.multipliedReportingOverflow(by: size.height)
        return !overflow && area <= pixels
    }
}

extension PixelSize {
    /// Whether numbers are a place that a model may see in a picture of this size: inside it, or beside it by no more than its own
    /// size. None of NaN and the infinities is.
    func mayHold(x: Float, y: Float) -> Bool {
        let (width, height) = (Float(width), Float(height))
        return x >= -width && x <= 2 * width && y >= -height && y <= 2 * height
    }
}
