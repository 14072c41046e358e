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
    /// - Throws: ``HeadMisfit`` with the reason.
    init(fitting evidence: HeadEvidence) throws(HeadMisfit)

    /// The number of classes that the outputs tell apart.
    var classCount: Int { get }
    /// Why this head was taken to fit, for the log.
    var reason: String { get }
    /// Whether overlapping candidates are still to be suppressed.
    var needsSuppression: Bool { get }

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
}

/// Why a head does not fit the outputs it was shown.
struct HeadMisfit: Error, Equatable {
    let reason: String
}

/// Which candidates a request wants.
struct CandidateFilter: Sendable {
    /// Scores must be greater than this.
    var confidence: Float
    /// Only these classes; `nil` for all.
    var classes: Set<Int>?

    func wants(_ classID: Int) -> Bool { classes?.contains(classID) ?? true }
}

/// What a head is recognised by: the outputs of a run at a known input size, and what the file says of itself.
struct HeadEvidence: Sendable {
    /// One output: its name and the shape that a run gave it.
    struct Output: Sendable, CustomStringConvertible {
        let name: String
        let shape: [Int]

        var description: String { "\(name) \(shape)" }
    }

    let outputs: [Output]
    /// The input's size in that run.
    let input: PixelSize
    /// The number of classes, when labels are known.
    let labelCount: Int?

    /// The first output, if it has three dimensions.
    func firstOutput() throws(HeadMisfit) -> [Int] {
        guard let shape = outputs.first?.shape, shape.count == 3 else {
            throw HeadMisfit(reason: "the first output does not have three dimensions")
        }
        return shape
    }

    /// Channels of mask prototypes in a second output `[N, M, h, w]`; that many coefficients follow each row's scores.
    var maskChannels: Int {
        outputs.count > 1 && outputs[1].shape.count == 4 ? outputs[1].shape[1] : 0
    }

    /// The classes that a row of `attributes` values has room for after `fixed` others, if the labels agree.
    func classes(attributes: Int, after fixed: Int) throws(HeadMisfit) -> Int {
        let room = attributes - fixed - maskChannels
        guard room >= 1 else { throw HeadMisfit(reason: "\(attributes) values leave no room for classes") }
        if let labelCount, labelCount != room {
            throw HeadMisfit(reason: "\(attributes) values mean \(room) classes, but there are \(labelCount) labels")
        }
        return room
    }

    /// Grid cells over the input at these strides.
    func cells(strides: [Int]) -> Int {
        strides.reduce(0) { $0 + (input.width / $1) * (input.height / $1) }
    }

    /// The strides that detectors put their grids at: P3-P5, P3-P6, P2-P5, and the two of the tiny ones.
    static let strideSets = [[8, 16, 32], [8, 16, 32, 64], [4, 8, 16, 32], [16, 32]]

    /// The strides at which `count` rows are `perCell` anchors on each cell; `nil` if none.
    func strides(rows count: Int, anchorsPerCell perCell: Int) -> [Int]? {
        Self.strideSets.first { cells(strides: $0) * perCell == count }
    }
}
