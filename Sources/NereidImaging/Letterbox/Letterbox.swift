// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// How a picture is fitted into a model's input, and how boxes find their way back.
///
/// The picture is scaled by one factor, so that it just fits, and the rest is filled with grey. The arithmetic,
/// rounding included, is that of `letterbox` in Ultralytics' packages (YOLOv5 `utils/augmentations.py`, Ultralytics
/// `data/augment.py`) and, for ``Placement/topLeft``, of `preproc` in YOLOX (`yolox/data/data_augment.py`).
public struct Letterbox: Sendable, Hashable {
    /// What shape the model's input takes.
    public enum Fit: String, Sendable, Codable, CaseIterable {
        /// As little padding as the model's stride allows: the input's shorter side is a multiple of the stride.
        case rect
        /// Exactly the target, padded as much as it takes.
        case square
        /// Exactly the target, no padding: width and height are scaled each by its own factor.
        case stretch
    }

    /// Where the picture lies in the input.
    public enum Placement: String, Sendable, Codable, CaseIterable {
        /// In the middle; an odd pixel of padding goes to the right or the bottom.
        case centre
        /// At the top left, padding at the right and at the bottom: YOLOX's way.
        case topLeft
    }

    /// The size of the picture.
    public let picture: PixelSize
    /// The size of what the model gets.
    public let input: PixelSize
    /// The size of the resized picture within the input.
    public let content: PixelSize
    /// The columns of padding left of the content.
    public let left: Int
    /// The rows of padding above the content.
    public let top: Int
    /// Input pixels per picture pixel, across; not rounded to whole pixels of content.
    public let horizontalGain: Float
    /// Input pixels per picture pixel, down; differs from the horizontal gain only with ``Fit/stretch``.
    public let verticalGain: Float
    /// The padding at the left as the frameworks count it when they scale boxes back: a fraction, not rounded.
    public let horizontalPadding: Float
    /// The same at the top.
    public let verticalPadding: Float

    /// Plans the fitting of a picture.
    ///
    /// - Parameters:
    ///   - picture: The size of the picture, both sides above 0.
    ///   - target: The model's nominal input size, both sides above 0; with `rect`, multiples of `stride`.
    ///   - fit: What shape the input takes.
    ///   - stride: What the input's sides must be multiples of with ``Fit/rect``. Default: 32.
    ///   - placement: Where the picture lies. Default: in the middle.
    public init(
        picture: PixelSize,
        target: PixelSize,
        fit: Fit,
        stride: Int = 32,
        placement: Placement = .centre
    ) {
        precondition(min(picture.width, picture.height, target.width, target.height) > 0, "sizes must be above zero")
        precondition(stride > 0, "the stride must be above zero")
        self.picture = picture
        let scale = (
            x: Double(target.width) / Double(picture.width),
            y: Double(target.height) / Double(picture.height)
        )
        guard fit != .stretch else {
            (input, content) = (target, target)
            (left, top) = (0, 0)
            (horizontalGain, verticalGain) = (Float(scale.x), Float(scale.y))
            (horizontalPadding, verticalPadding) = (0, 0)
            return
        }
        let ratio = min(scale.x, scale.y)
        // Ultralytics rounds halves to even, as Python does; YOLOX cuts off.
        let rule: FloatingPointRoundingRule = placement == .centre ? .toNearestOrEven : .towardZero
        content = PixelSize(
            width: max(Int((Double(picture.width) * ratio).rounded(rule)), 1),
            height: max(Int((Double(picture.height) * ratio).rounded(rule)), 1)
        )
        func upToStride(_ side: Int) -> Int { (side + stride - 1) / stride * stride }
        input =
            fit == .square
            ? target
            : PixelSize(width: upToStride(content.width), height: upToStride(content.height))

        guard placement == .centre else {
            (left, top) = (0, 0)
            (horizontalGain, verticalGain) = (Float(ratio), Float(ratio))
            (horizontalPadding, verticalPadding) = (0, 0)
            return
        }
        let gain = min(
            Double(input.width) / Double(picture.width),
            Double(input.height) / Double(picture.height)
        )
        (horizontalGain, verticalGain) = (Float(gain), Float(gain))
        left = Self.leadingPadding(input.width - content.width)
        top = Self.leadingPadding(input.height - content.height)
        horizontalPadding = Float((Double(input.width) - Double(picture.width) * gain) / 2)
        verticalPadding = Float((Double(input.height) - Double(picture.height) * gain) / 2)
    }

    /// Half of the padding; the tenth makes an odd pixel go to the far side whichever way halves are rounded.
    private static func leadingPadding(_ padding: Int) -> Int {
        Int((Double(padding) / 2 - 0.1).rounded(.toNearestOrEven))
    }

    /// Takes a horizontal coordinate from the model's input to the picture; may lie outside the picture.
    public func pictureX(_ x: Float) -> Float {
        (x - horizontalPadding) / horizontalGain
    }

    /// Takes a vertical coordinate from the model's input to the picture; may lie outside the picture.
    public func pictureY(_ y: Float) -> Float {
        (y - verticalPadding) / verticalGain
    }

    /// Takes a horizontal coordinate from the picture to the model's input.
    public func inputX(_ x: Float) -> Float {
        x * horizontalGain + horizontalPadding
    }

    /// Takes a vertical coordinate from the picture to the model's input.
    public func inputY(_ y: Float) -> Float {
        y * verticalGain + verticalPadding
    }
}
