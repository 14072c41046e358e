// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging
import NereidInference

/// The textured picture of a loading run: blocks of pure colour, stripes and noise, the same every time.
///
/// A network that finds things finds some in it, and one that does not still gives boxes that differ from cell to cell.
enum LoadingPicture {
    /// The side of a block, in pixels.
    private static let side = 16

    /// A batch of the picture as a tensor for a graph's input.
    ///
    /// - Parameter greatest: what white is for floating-point inputs: 1 or 255. Inputs of bytes take 255.
    /// - Throws: `InferenceError` for shapes that no memory holds.
    static func tensor(for input: RawInput, batch: Int, size: PixelSize, greatest: Float) throws -> Tensor {
        let pixels = Self.pixels(size)
        let area = size.width * size.height
        let shape =
            input.layout == .planar ? [batch, 3, size.height, size.width] : [batch, size.height, size.width, 3]
        // The pixels are interleaved; planes are picked out of them.
        let order =
            input.layout == .planar
            ? (0..<3).flatMap { channel in (0..<area).map { $0 * 3 + channel } } : Array(0..<area * 3)
        func filled<Element: TensorElement>(_ element: (UInt8) -> Element) throws -> Tensor {
            let picture = order.map { element(pixels[$0]) }
            return try Tensor(Array(repeatElement(picture, count: batch).joined()), shape: shape)
        }
        let factor = greatest / 255
        return switch input.elementType {
        case .uint8: try filled { $0 }
        case .float16: try filled { Float16(Float($0) * factor) }
        default: try filled { Float($0) * factor }
        }
    }

    /// The pixels, red, green and blue one after another.
    static func pixels(_ size: PixelSize) -> [UInt8] {
        var pixels = [UInt8](repeating: 0, count: size.width * size.height * 3)
        var noise: UInt32 = 1
        var place = 0
        for y in 0..<size.height {
            for x in 0..<size.width {
                // Knuth's linear congruential generator; its high bits are the random ones.
                noise = noise &* 1_664_525 &+ 1_013_904_223
                let block = (x / side) &* 7 &+ (y / side) &* 5
                switch block % 8 {
                case 0, 1, 2: pixels[place + block % 8] = 255
                case 3:
                    for channel in 0..<3 {
                        pixels[place + channel] = UInt8(truncatingIfNeeded: noise >> (8 * channel + 8))
                    }
                case 4:
                    for channel in 0..<3 { pixels[place + channel] = (x + y) / 4 % 2 == 0 ? 230 : 40 }
                default:
                    pixels[place] = UInt8(truncatingIfNeeded: x * 255 / size.width)
                    pixels[place + 1] = UInt8(truncatingIfNeeded: y * 255 / size.height)
                    pixels[place + 2] = 114
                }
                place += 3
            }
        }
        return pixels
    }
}
