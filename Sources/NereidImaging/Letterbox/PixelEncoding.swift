// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// How a model wants its pixels: `value = (pixel · scale − mean) / standardDeviation` for each channel.
public struct PixelEncoding: Sendable, Hashable {
    /// The type of one value in the model's input.
    public enum Element: String, Sendable, Codable, CaseIterable {
        /// IEEE 754 single precision, 4 bytes.
        case float32
        /// IEEE 754 half precision, 2 bytes.
        case float16
        /// A byte: the value rounded to the nearest and kept within 0 to 255. Give it `scale` 1.
        case uint8

        /// The size of one value in bytes.
        public var byteCount: Int {
            switch self {
            case .float32: 4
            case .float16: 2
            case .uint8: 1
            }
        }
    }

    /// The order of the colours.
    public enum Channels: String, Sendable, Codable, CaseIterable {
        /// Red, green, blue.
        case rgb
        /// Blue, green, red, as OpenCV reads pictures.
        case bgr
    }

    /// Where the channels of a pixel lie.
    public enum Layout: String, Sendable, Codable, CaseIterable {
        /// Channel after channel: CHW, shape 3 × height × width.
        case planar
        /// Pixel after pixel: HWC, shape height × width × 3.
        case interleaved
    }

    /// The type of one value. Default: `float32`.
    public var element: Element
    /// The order of the colours. Default: `rgb`.
    public var channels: Channels
    /// Where the channels lie. Default: `planar`.
    public var layout: Layout
    /// What a pixel (0 to 255) is multiplied by first. Default: 1/255. When it is the reciprocal of a whole number,
    /// the pixel is divided by that number instead, as the frameworks do, so that values are equal to the last bit.
    public var scale: Float
    /// Subtracted after scaling, in the order of `channels`. Default: 0.
    public var mean: SIMD3<Float>
    /// Divided by at last, in the order of `channels`. Default: 1.
    public var standardDeviation: SIMD3<Float>
    /// The grey around the picture, as a pixel before scaling. Default: 114, the YOLO families' own.
    public var padding: UInt8
    /// Whether the number 0 stands around the picture instead, whatever grey that is. Default: no.
    public var padsWithZero: Bool

    /// Makes an encoding; what is not named keeps its default.
    public init(
        element: Element = .float32,
        channels: Channels = .rgb,
        layout: Layout = .planar,
        scale: Float = 1 / 255,
        mean: SIMD3<Float> = .zero,
        standardDeviation: SIMD3<Float> = .one,
        padding: UInt8 = 114,
        padsWithZero: Bool = false
    ) {
        self.element = element
        self.channels = channels
        self.layout = layout
        self.scale = scale
        self.mean = mean
        self.standardDeviation = standardDeviation
        self.padding = padding
        self.padsWithZero = padsWithZero
    }

    /// The length of a model's input of this size, three channels, in bytes.
    public func byteCount(for input: PixelSize) -> Int {
        input.width * input.height * 3 * element.byteCount
    }

    /// The value of `pixel`, 0 to 255, in the model's channel number `channel`, 0 to 2.
    func value(of pixel: Float, channel: Int) -> Float {
        let divisor = (1 / scale).rounded()
        let scaled = 1 / divisor == scale ? pixel / divisor : pixel * scale
        return (scaled - mean[channel]) / standardDeviation[channel]
    }

    /// For each of the model's channels the elements that stand for the 256 pixel values, one channel after another.
    func table<E>(_ convert: (Float) -> E) -> [E] {
        (0..<3).flatMap { channel in
            (0...255).map { convert(value(of: Float($0), channel: channel)) }
        }
    }
}
