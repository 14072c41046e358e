// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import NereidImaging
public import NereidInference

/// What can be said about a model beyond what its file says itself. Everything left `nil` is found out.
public struct VisionModelConfiguration: Sendable, Hashable {
    /// What the model does; `nil`: what its file and its outputs say. A model that gives more may be asked for `detect`.
    public var task: VisionTask?
    /// The head that reads the outputs; `nil`: recognised by their shapes.
    public var head: HeadKind?
    /// Names of the classes, in the order of training; `nil`: from the file's metadata, else `class 0`, `class 1`, …
    public var labels: [String]?
    /// Classes to be called otherwise, by the name they have.
    public var rename: [String: String] = [:]
    /// The size that pictures are fitted into, for inputs whose size is free; `nil`: from the metadata, else 640 × 640.
    public var inputSize: PixelSize?
    /// Another size for tall pictures; `nil`: none.
    public var sizeRule: SizeRule?
    /// How pictures are fitted into the input; `nil`: `rect` where the input's size is free, else what the head's training
    /// code does.
    public var fit: Letterbox.Fit?
    /// Sizes that each picture is fitted into at once, with what is found at all of them put together; `nil`: one size. Only
    /// with ``NereidImaging/Letterbox/Fit/shortestEdge``, whose shorter and longer side each of them gives.
    public var scales: [PixelSize]?
    /// How pictures are resized; `nil`: as the head's training code does.
    public var resampling: Letterbox.Resampling?
    /// Whether boxes are rounded to whole pixels of the picture, halves to even; `false`.
    public var roundsBoxes = false
    /// Whether pictures are taken as they are stored, whatever their EXIF data say of how the camera was held; `false`.
    /// Only those who decode for the model can heed it.
    public var ignoresOrientation = false
    /// The order of the channels; `nil`: what the head's training code feeds.
    public var channels: PixelEncoding.Channels?
    /// What a pixel's 0…255 is multiplied by; `nil`: what the head's training code does.
    public var scale: Float?
    /// Subtracted after scaling, one value for each channel in the order fed; `nil`: what the head's training code does.
    public var mean: SIMD3<Float>?
    /// Divided by after the mean, one value for each channel; `nil`: what the head's training code does.
    public var standardDeviation: SIMD3<Float>?
    /// The most pictures in one run of the engine; `nil`: 1 on a CPU, 8 on a GPU. Inputs with a fixed batch ignore it.
    public var maxBatch: Int?
    /// The thresholds used when a request does not say; `nil` for the model's own.
    public var defaults = PredictionOptions()
    /// How the engine runs it.
    public var session = SessionOptions()

    /// Nothing said: everything is found out.
    public init() {}

    /// Uses a larger input for pictures taller than a limit, as annotation services for video of mixed sizes do.
    public struct SizeRule: Sendable, Hashable {
        /// Pictures taller than this, in pixels, get `size`; the others the usual one.
        public var tallerThan: Int
        /// The side of the square that tall pictures are fitted into.
        public var size: Int

        /// Makes a rule.
        public init(tallerThan: Int, size: Int) {
            self.tallerThan = tallerThan
            self.size = size
        }
    }
}
