// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// What can go wrong with pictures. Every message says what happened and what can be done about it.
public enum ImagingError: Error, Sendable, Equatable, CustomStringConvertible {
    /// There are no bytes at all.
    case emptyFile
    /// The bytes are no picture of any kind known here.
    case notAPicture
    /// The bytes are no picture, but something that is known by its first bytes.
    case foreign(_ content: ForeignContent)
    /// A picture, but of a kind that is not read here; `kind` names it and, where it helps, says why.
    case unsupportedKind(_ kind: String)
    /// A picture of a readable format whose data is broken or cut short.
    case damaged(_ format: PictureFormat, reason: String)
    /// The picture goes beyond one of the ``DecodingLimits``.
    case tooLarge(_ measure: Measure, value: Int, limit: Int)
    /// Decoding took, or would have taken, longer than ``DecodingLimits/duration``.
    case timedOut(limit: Duration)
    /// Pixels handed over by a caller do not make the picture that was announced.
    case wrongPixelCount(size: PixelSize, bytes: Int)
    /// A letterbox planned for pictures of one size was given a picture of another.
    case wrongPictureSize(PixelSize, expected: PixelSize)
    /// The memory for a model's input is too short for it.
    case destinationTooSmall(bytes: Int, needed: Int)
    /// A picture could not be written in the form asked for.
    case encodingFailed(reason: String)
    /// Text could not be drawn.
    case textFailed(reason: String)
    /// The pool's threads have been stopped.
    case poolIsShutDown
    /// Nobody waits for the work any more.
    case cancelled
    /// The work had not ended at its deadline.
    case deadlinePassed

    /// What a limit measures.
    public enum Measure: String, Sendable, CaseIterable {
        /// The length of the file in bytes.
        case encodedBytes
        /// The longer side in pixels.
        case side
        /// Width times height.
        case pixels
        /// Width times height of a format that is decoded in one call, which can't be interrupted.
        case pixelsAtOnce
        /// The memory that decoding takes at its peak, in bytes; see ``DecodingNeed``.
        case memory

        /// The name of the setting that moves the limit.
        public var setting: String {
            switch self {
            case .encodedBytes: "max_picture_bytes"
            case .side: "max_picture_side"
            case .pixels, .pixelsAtOnce: "max_picture_pixels"
            case .memory: "decode_memory"
            }
        }

        /// The name of the setting that moves ``DecodingLimits/duration``.
        public static let durationSetting = "decode_timeout"
    }

    /// The message, in one or two sentences.
    public var description: String {
        switch self {
        case .emptyFile:
            return "There is no picture: the file is empty (0 bytes). Check the file and send it again."
        case .notAPicture:
            return "These bytes are not a picture. Pictures read here: \(Self.known)."
        case .foreign(let content):
            return "These bytes are not a picture but \(content) Pictures read here: \(Self.known)."
        case .unsupportedKind(let kind):
            return "This kind of picture is not read here: \(kind). Convert it to JPEG or PNG."
        case .damaged(let format, let reason):
            return "The \(format.displayName) picture is damaged: \(reason). Send it again or save it anew."
        case .tooLarge(let measure, let value, let limit):
            return "The picture is too large: \(measure.phrase(value)), but the limit is \(limit). "
                + "Make it smaller or raise \(measure.setting)."
        case .timedOut(let limit):
            return "Decoding the picture takes longer than \(limit). "
                + "Make it smaller or raise \(Measure.durationSetting)."
        case .wrongPixelCount(let size, let bytes):
            return
                "A picture of \(size) pixels needs both sides above zero and three bytes a pixel, not \(bytes) bytes."
        case .wrongPictureSize(let size, let expected):
            return "The letterbox is made for pictures of \(expected) pixels, not \(size). Make one for this picture."
        case .destinationTooSmall(let bytes, let needed):
            return "The model's input needs \(needed) bytes, but there is room for \(bytes). Allocate byteCount(for:)."
        case .encodingFailed(let reason):
            return "The picture could not be encoded: \(reason)."
        case .textFailed(let reason):
            return "The text could not be drawn: \(reason). Is a font installed, such as DejaVu Sans?"
        case .poolIsShutDown:
            return "The imaging threads are stopped; no picture is taken any more."
        case .cancelled:
            return "The work on the picture was cancelled; its result is not needed any more."
        case .deadlinePassed:
            return "The work on the picture did not end before its deadline. Allow more time, or ask for less."
        }
    }
}

extension ImagingError {
    private static var known: String { PictureFormat.allCases.map(\.displayName).joined(separator: ", ") }
}

extension ImagingError.Measure {
    fileprivate func phrase(_ value: Int) -> String {
        switch self {
        case .encodedBytes: "its file has \(value) bytes"
        case .side: "its longer side has \(value) pixels"
        case .pixels: "it has \(value) pixels"
        case .pixelsAtOnce: "it has \(value) pixels of a format that is decoded as a whole (WebP, HEIF, AVIF)"
        case .memory: "decoding it takes up to \(value) bytes of memory"
        }
    }
}
