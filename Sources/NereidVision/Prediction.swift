// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import NereidImaging

/// What a model says about one picture, and how long that took.
public struct Prediction: Sendable {
    /// What the model does, which says what is to be found below.
    public var task: VisionTask
    /// The objects found, best score first; none from a model that classifies.
    public var detections: [Detection]
    /// What the whole picture shows, best score first; empty but for models that classify.
    public var classifications: [Classification]
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

/// A class that a whole picture may belong to.
public struct Classification: Sendable, Hashable {
    /// The model's number for the class, from 0.
    public var classID: Int
    /// The class in words.
    public var label: String
    /// The probability, 0…1; those of all the model's classes add up to 1.
    public var score: Float

    /// Makes a classification.
    public init(classID: Int, label: String, score: Float) {
        self.classID = classID
        self.label = label
        self.score = score
    }
}

/// What a request may ask of a prediction. Everything left `nil` is the model's own default.
public struct PredictionOptions: Sendable, Hashable {
    /// Detections below this score are left out, 0…1; of a model that classifies, classes below it.
    public var confidence: Float?
    /// Two boxes of one class that overlap by more than this intersection over union are one object, 0…1.
    public var iou: Float?
    /// The most detections to return, 1 or more.
    public var maxDetections: Int?
    /// Whether boxes of different classes suppress each other too.
    public var classAgnostic: Bool?
    /// Only these classes, by number; `nil` for all.
    public var classes: Set<Int>?
    /// The most classes to return of a model that classifies, 1 or more.
    public var topClasses: Int?

    /// Makes options; what is left out is the model's default.
    public init(
        confidence: Float? = nil,
        iou: Float? = nil,
        maxDetections: Int? = nil,
        classAgnostic: Bool? = nil,
        classes: Set<Int>? = nil,
        topClasses: Int? = nil
    ) {
        self.confidence = confidence
        self.iou = iou
        self.maxDetections = maxDetections
        self.classAgnostic = classAgnostic
        self.classes = classes
        self.topClasses = topClasses
    }
}

/// The thresholds a model uses when a request does not say.
public struct PredictionDefaults: Sendable, Hashable {
    /// Least score of a detection; 0.25. Classes of a whole picture have none.
    public var confidence: Float = 0.25
    /// Greatest overlap of two objects of one class; 0.45.
    public var iou: Float = 0.45
    /// Most detections; 300.
    public var maxDetections: Int = 300
    /// Whether classes suppress each other; `false`.
    public var classAgnostic: Bool = false
    /// Most classes of a whole picture; 5.
    public var topClasses: Int = 5

    /// These with others laid over them, where those say something.
    func overlaid(by options: PredictionOptions) -> PredictionDefaults {
        var defaults = self
        defaults.confidence = options.confidence ?? confidence
        defaults.iou = options.iou ?? iou
        defaults.maxDetections = options.maxDetections ?? maxDetections
        defaults.classAgnostic = options.classAgnostic ?? classAgnostic
        defaults.topClasses = options.topClasses ?? topClasses
        return defaults
    }

    /// The defaults of YOLOv5's own `detect.py`, but for the number of detections, which is that of Ultralytics.
    public init() {}
}
