// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// How a picture is fitted into a model's input, and how boxes find their way back.
///
/// The picture is scaled by one factor, so that it just fits, and the rest is filled with grey. The arithmetic,
/// rounding included, is that of `letterbox` in Ultralytics' packages (YOLOv5 `utils/augmentations.py`, Ultralytics
/// `data/augment.py`) and, for ``Placement/topLeft``, of `preproc` in YOLOX (`yolox/data/data_augment.py`). Classifiers
/// see the middle of the picture instead: ``Fit/crop``, ``Fit/cropFirst``.
public struct Letterbox: Sendable, Hashable {
    /// What shape the model's input takes.
    public enum Fit: String, Sendable, Codable, CaseIterable {
        /// As little padding as the model's stride allows: the input's shorter side is a multiple of the stride.
        case rect
        /// Exactly the target, padded as much as it takes.
        case square
        /// Exactly the target, no padding: width and height are scaled each by its own factor.
        case stretch
        /// Exactly the target, no padding: resized until the picture just covers it, and what stands out is cut off evenly
        /// (torchvision's `Resize` of the shorter side and `CenterCrop`).
        case crop
        /// Exactly the target, no padding: the largest part in the middle that has the target's proportions is cut out,
        /// and then resized (`CenterCrop` in YOLOv5's `utils/augmentations.py`).
        case cropFirst = "crop_first"
        /// Detectron2's way: the picture's shorter side gets the length of the target's shorter one, unless the longer side
        /// would then be longer than the target's; the picture lies at the top left, and the input is padded at the right
        /// and below to multiples of the stride.
        case shortestEdge = "shortest_edge"
    }

    /// How pixels are mixed when the picture is resized.
    public enum Resampling: String, Sendable, Codable, CaseIterable {
        /// OpenCV's bilinear resizing of 8-bit pixels, without antialiasing, results rounded to whole numbers.
        case bilinear
        /// OpenCV's bilinear resizing of 32-bit floating-point pixels, without antialiasing, results not rounded.
        case precise
        /// Pillow's bilinear resizing of 8-bit pixels: every source pixel counts when the picture shrinks.
        case antialiased
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
    /// The size of the resized picture; it stands out of the input only with ``Fit/crop``.
    public let content: PixelSize
    /// The columns of padding left of the content; below zero where so many columns of it are cut off.
    public let left: Int
    /// The rows of padding above the content; below zero where so many rows of it are cut off.
    public let top: Int
    /// The part of the picture that is resized: all of it but with ``Fit/cropFirst``.
    let window: Window
    /// How pixels are mixed.
    public let resampling: Resampling
    /// Input pixels per picture pixel, across; not rounded to whole pixels of content.
    public let horizontalGain: Float
    /// Input pixels per picture pixel, down; differs from the horizontal gain only with ``Fit/stretch``.
    public let verticalGain: Float
    /// The padding at the left as the frameworks count it when they scale boxes back: a fraction, not rounded, unless whole
    /// pixels were asked for. Below zero where the picture is cut.
    public let horizontalPadding: Float
    /// The same at the top.
    public let verticalPadding: Float

    /// A part of a picture: its top left pixel and its size.
    struct Window: Sendable, Hashable {
        var left = 0
        var top = 0
        var size: PixelSize
    }

    /// Plans the fitting of a picture.
    ///
    /// - Parameters:
    ///   - picture: The size of the picture, both sides above 0.
    ///   - target: The model's nominal input size, both sides above 0; with `rect`, multiples of `stride`.
    ///   - fit: What shape the input takes.
    ///   - stride: What the input's sides must be multiples of with ``Fit/rect``. Default: 32.
    ///   - placement: Where the picture lies. Default: in the middle.
    ///   - resampling: How pixels are mixed. Default: `bilinear`.
    ///   - countsWholePadding: Whether boxes are scaled back with the padding in whole pixels, as Ultralytics' `scale_boxes`
    ///     counts it, and not with its fraction, as YOLOv5's does. Default: no.
    public init(
        picture: PixelSize,
        target: PixelSize,
        fit: Fit,
        stride: Int = 32,
        placement: Placement = .centre,
        resampling: Resampling = .bilinear,
        countsWholePadding: Bool = false
    ) {
        precondition(min(picture.width, picture.height, target.width, target.height) > 0, "sizes must be above zero")
        precondition(stride > 0, "the stride must be above zero")
        if fit == .shortestEdge {
            self.init(picture: picture, shortestEdgeOf: target, stride: stride, resampling: resampling)
        } else {
            self.init(picture, target, fit, stride, placement, resampling, countsWholePadding)
        }
    }

    private init(
        _ picture: PixelSize,
        _ target: PixelSize,
        _ fit: Fit,
        _ stride: Int,
        _ placement: Placement,
        _ resampling: Resampling,
        _ countsWholePadding: Bool
    ) {
        self.picture = picture
        self.resampling = resampling
        window = fit == .cropFirst ? Self.middle(of: picture, like: target) : Window(size: picture)
        let scale = (
            x: Double(target.width) / Double(window.size.width),
            y: Double(target.height) / Double(window.size.height)
        )
        guard fit == .rect || fit == .square else {
            input = target
            content = fit == .crop ? Self.cover(of: picture, over: target) : target
            // Halves to even, as Python rounds.
            left = -Int((Double(content.width - target.width) / 2).rounded(.toNearestOrEven))
            top = -Int((Double(content.height - target.height) / 2).rounded(.toNearestOrEven))
            let gain = (
                x: Double(content.width) / Double(window.size.width),
                y: Double(content.height) / Double(window.size.height)
            )
            (horizontalGain, verticalGain) = (Float(gain.x), Float(gain.y))
            horizontalPadding = Float(Double(left) - Double(window.left) * gain.x)
            verticalPadding = Float(Double(top) - Double(window.top) * gain.y)
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
        horizontalPadding =
            countsWholePadding ? Float(left) : Float((Double(input.width) - Double(picture.width) * gain) / 2)
        verticalPadding =
            countsWholePadding ? Float(top) : Float((Double(input.height) - Double(picture.height) * gain) / 2)
    }

    /// ``Fit/shortestEdge``. `ResizeShortestEdge.get_output_shape` in Detectron2's
    /// `data/transforms/augmentation_impl.py`, `ImageList.from_tensors` in its `structures/image_list.py`.
    private init(picture: PixelSize, shortestEdgeOf target: PixelSize, stride: Int, resampling: Resampling) {
        let edge = Double(min(target.width, target.height))
        let most = Double(max(target.width, target.height))
        let scale = edge / Double(min(picture.width, picture.height))
        let isWide = picture.height < picture.width
        var height = isWide ? edge : scale * Double(picture.height)
        var width = isWide ? scale * Double(picture.width) : edge
        if max(height, width) > most {
            let scale = most / max(height, width)
            (height, width) = (height * scale, width * scale)
        }
        func upToStride(_ side: Int) -> Int { (side + stride - 1) / stride * stride }
        self.picture = picture
        self.resampling = resampling
        window = Window(size: picture)
        content = PixelSize(width: max(Int(width + 0.5), 1), height: max(Int(height + 0.5), 1))
        input = PixelSize(width: upToStride(content.width), height: upToStride(content.height))
        (left, top, horizontalPadding, verticalPadding) = (0, 0, 0, 0)
        horizontalGain = Float(Double(content.width) / Double(picture.width))
        verticalGain = Float(Double(content.height) / Double(picture.height))
    }

    /// The same fitting in an input that is larger at the right and below, as in a batch of pictures of several sizes.
    public func padded(to input: PixelSize) -> Letterbox {
        Letterbox(self, in: input)
    }

    private init(_ other: Letterbox, in input: PixelSize) {
        precondition(input.width >= other.input.width && input.height >= other.input.height, "inputs only grow")
        self.input = input
        (picture, content, window, resampling) = (other.picture, other.content, other.window, other.resampling)
        (left, top) = (other.left, other.top)
        (horizontalGain, verticalGain) = (other.horizontalGain, other.verticalGain)
        (horizontalPadding, verticalPadding) = (other.horizontalPadding, other.verticalPadding)
    }

    /// The size at which a picture just covers the target: one side is the target's, the other is cut off to a whole number.
    private static func cover(of picture: PixelSize, over target: PixelSize) -> PixelSize {
        let widthDecides = target.width * picture.height >= target.height * picture.width
        let (side, own, other) =
            widthDecides
            ? (target.width, picture.width, picture.height) : (target.height, picture.height, picture.width)
        let long = Int(Double(side * other) / Double(own))
        return widthDecides
            ? PixelSize(width: side, height: max(long, target.height))
            : PixelSize(width: max(long, target.width), height: side)
    }

    /// The largest part in the middle of a picture that has a size's proportions; the odd pixel stays at the far side.
    private static func middle(of picture: PixelSize, like size: PixelSize) -> Window {
        let height = min(picture.height, max(picture.width * size.height / size.width, 1))
        let width = min(picture.width, max(picture.height * size.width / size.height, 1))
        return Window(
            left: (picture.width - width) / 2,
            top: (picture.height - height) / 2,
            size: PixelSize(width: width, height: height)
        )
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
