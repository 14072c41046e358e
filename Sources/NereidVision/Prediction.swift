// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import NereidImaging

/// What a model says about one picture, and how long that took.
public struct Prediction: Sendable {
    /// The objects found, best score first.
    public var detections: [Detection]
    /// The size of the upright picture, in which the boxes count.
    public var picture: PixelSize
    /// Where the time went.
    public var timing: Timing

    /// The stages of one prediction. Pictures that went through the engine in one batch share its time.
    public struct Timing: Sendable, Hashable {
        /// Fitting the picture into the model's input.
        public var letterbox: Duration
        /// Waiting for a free instance of the session.
        public var waited: Duration
        /// The engine's own time.
        public var inference: Duration
        /// Reading the head, suppression, and the way back to the picture's own coordinates.
        public var postprocessing: Duration
    }
}

/// What a request may ask of a prediction. Everything left `nil` is the model's own default.
public struct PredictionOptions: Sendable, Hashable {
    /// Detections below this score are left out, 0…1.
    public var confidence: Float?
    /// Two boxes of one class that overlap by more than this intersection over union are one object, 0…1.
    public var iou: Float?
    /// The most detections to return, 1 or more.
    public var maxDetections: Int?
    /// Whether boxes of different classes suppress each other too.
    public var classAgnostic: Bool?
    /// Only these classes, by number; `nil` for all.
    public var classes: Set<Int>?

    /// Makes options; what is left out is the model's default.
    public init(
        confidence: Float? = nil,
        iou: Float? = nil,
        maxDetections: Int? = nil,
        classAgnostic: Bool? = nil,
        classes: Set<Int>? = nil
    ) {
        self.confidence = confidence
        self.iou = iou
        self.maxDetections = maxDetections
        self.classAgnostic = classAgnostic
        self.classes = classes
    }
}

/// The thresholds a model uses when a request does not say.
public struct PredictionDefaults: Sendable, Hashable {
    /// Least score; 0.25.
    public var confidence: Float = 0.25
    /// Greatest overlap of two objects of one class; 0.45.
    public var iou: Float = 0.45
    /// Most detections; 300.
    public var maxDetections: Int = 300
    /// Whether classes suppress each other; `false`.
    public var classAgnostic: Bool = false

    /// The defaults of YOLOv5's own `detect.py`, but for the number of detections, which is that of Ultralytics.
    public init() {}
}
