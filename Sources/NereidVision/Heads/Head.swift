// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging
import NereidInference

/// The part that turns a session's raw outputs into candidates.
///
/// A head is made for one model from what its outputs look like at a known input size. To add one: a new file here, and its
/// line in ``HeadKind``.
protocol Head: Sendable {
    /// Takes the outputs as its own, or says why they are not.
    ///
    /// Names and shapes are looked at, and values only to choose between ways of reading them.
    ///
    /// - Throws: ``HeadMisfit`` with the reason.
    init(fitting evidence: HeadEvidence) throws(HeadMisfit)

    /// Compares what the loading runs gave with what this head takes it for. Not asked of a head that the settings name.
    /// Default: nothing contradicts.
    ///
    /// - Throws: ``HeadMisfit`` when the values contradict.
    func check(_ evidence: HeadEvidence) throws(HeadMisfit)

    /// The number of classes that the outputs tell apart.
    var classCount: Int { get }
    /// Why this head was taken to fit, for the log.
    var reason: String { get }
    /// Whether overlapping candidates are still to be suppressed.
    var needsSuppression: Bool { get }
    /// What the outputs hold of each object besides box, score and class; `nil` if nothing. Default: nothing.
    var extra: Extra? { get }
    /// Whether detections without width or height are none. Default: no.
    var dropsEmptyBoxes: Bool { get }
    /// Whether fewer labels than classes are enough, since a network may have been trained with more classes than its
    /// pictures had. Default: no.
    var mayHaveUnlabelledClasses: Bool { get }
    /// The thresholds that count where nobody says otherwise. Default: those of ``PredictionDefaults``.
    var defaults: PredictionDefaults { get }
    /// How far a box may reach beyond the input by the head's own arithmetic, in pixels, where that is more than the input's
    /// longer side: anchors may be larger than a small input. Default: 0.
    var reach: Float { get }
    /// What the model does. Default: as ``extra`` says.
    var task: VisionTask { get }

    /// The candidates of one picture of a batch, in pixels of the model's input.
    ///
    /// - Parameters:
    ///   - outputs: the session's outputs, in the graph's order.
    ///   - index: the picture's place in the batch.
    ///   - input: the size of the model's input in this run.
    ///   - filter: what is wanted; everything else is dropped before anything is computed from it.
    /// - Throws: ``HeadMisfit`` when the outputs have another shape than the head was made for.
    func candidates(in outputs: [Tensor], picture index: Int, input: PixelSize, filter: CandidateFilter)
        throws -> [Candidate]

    /// The values of ``extra`` for one of the candidates: mask coefficients as they are, or keypoints as x, y and, if there
    /// are three values to a point, score, in pixels of the model's input. Default: none.
    ///
    /// - Throws: ``HeadMisfit`` as ``candidates(in:picture:input:filter:)``.
    func extras(of candidate: Candidate, in outputs: [Tensor], picture index: Int, input: PixelSize) throws -> [Float]
}

extension Head {
    var extra: Extra? { nil }
    var task: VisionTask { extra?.task ?? .detect }
    var dropsEmptyBoxes: Bool { false }
    var mayHaveUnlabelledClasses: Bool { false }
    var reach: Float { 0 }
    var defaults: PredictionDefaults { PredictionDefaults() }

    func check(_ evidence: HeadEvidence) throws(HeadMisfit) {}

    func extras(of candidate: Candidate, in outputs: [Tensor], picture index: Int, input: PixelSize) throws -> [Float] {
        []
    }
}

/// What a head can read of an object besides box, score and class.
enum Extra: Sendable, Equatable {
    /// Coefficients of the masks whose prototypes are the output with this number.
    case masks(coefficients: Int, prototypes: Int, rule: MaskRule)
    /// Points of two or three values each.
    case keypoints(count: Int, values: Int)
    /// How far the box is turned.
    case angle

    /// How many numbers that is.
    var valueCount: Int {
        switch self {
        case .masks(let coefficients, _, _): coefficients
        case .keypoints(let count, let values): count * values
        case .angle: 1
        }
    }

    var task: VisionTask {
        switch self {
        case .masks: .segment
        case .keypoints: .pose
        case .angle: .obb
        }
    }

    /// For the log: ` + 32 mask coefficients`.
    var description: String {
        switch self {
        case .masks(let coefficients, _, _): " + \(coefficients) mask coefficients"
        case .keypoints(let count, let values): " + \(count) keypoints of \(values) values"
        case .angle: " + angle"
        }
    }
}

/// Why a head does not fit the outputs it was shown.
struct HeadMisfit: Error, Equatable {
    let reason: String
    /// Whether the shapes are right and a value can't be.
    var isValue = false

    /// A value that no answer may be made of.
    static func value(_ reason: String) -> HeadMisfit { HeadMisfit(reason: reason, isValue: true) }

    /// A score that is not a number.
    static let scoreIsNaN = value("a score that is not a number")
}

/// Which candidates a request wants.
struct CandidateFilter: Sendable {
    /// Scores must be greater than this.
    var confidence: Float
    /// Only these classes; `nil` for all.
    var classes: Set<Int>?
    /// How many candidates a network that chooses itself may choose.
    var maxDetections = 300
    /// Whether such a network may choose one class only for each cell.
    var classAgnostic = false

    func wants(_ classID: Int) -> Bool { classes?.contains(classID) ?? true }
}
