// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging

/// Reads Ultralytics' RT-DETR: `[N, K, 4+C]`, centre and size as fractions of the stretched picture and a score for each
/// class, or in newer exports `[N, K, 6]`, the same with score and class number. The network suppresses by itself.
///
/// `RTDETRPredictor.postprocess` in Ultralytics' `models/rtdetr/predict.py`.
struct RTDETRHead: SingleOutputHead {
    let classCount: Int
    let reason: String
    var needsSuppression: Bool { false }
    private let attributes: Int
    /// Whether rows end with score and class number; else with a score for each class.
    private let hasClassNumber: Bool
    private let unit: BoxUnit

    init(fitting evidence: HeadEvidence) throws(HeadMisfit) {
        let shape = try evidence.firstOutput()
        guard evidence.isAsked || evidence.namesRTDETR else {
            throw HeadMisfit(reason: "the metadata does not name RT-DETR")
        }
        attributes = shape[2]
        guard attributes > 4 else { throw HeadMisfit(reason: "\(attributes) values leave no room for classes") }
        let observed = evidence.observedRows()
        unit = observed.isEmpty ? .fractions : observed.unit
        hasClassNumber = Self.hasClassNumber(observed, attributes: attributes, labels: evidence.labelCount)
        if hasClassNumber {
            classCount = evidence.labelCount ?? 0
        } else {
            classCount = try evidence.classes(attributes: attributes, after: 4, extra: nil)
        }
        let named = evidence.namesRTDETR ? "the metadata names RT-DETR; " : ""
        reason =
            "\(named)\(shape[1]) rows of centre and size, "
            + (hasClassNumber ? "score and class" : "\(classCount) classes") + unit.remark
    }

    /// Rows of six values end with score and class number, unless there are two classes whose scores these are.
    private static func hasClassNumber(_ observed: ObservedRows, attributes: Int, labels: Int?) -> Bool {
        guard attributes == 6 else { return false }
        if let labels, labels != 2 { return true }
        do throws(HeadMisfit) { try observed.requireClassNumbers(5) } catch { return false }
        return true
    }

    func check(_ evidence: HeadEvidence) throws(HeadMisfit) {
        let observed = evidence.observedRows()
        try observed.requireProbabilities(4..<(hasClassNumber ? 5 : attributes))
        if hasClassNumber { try observed.requireClassNumbers(5) }
        try observed.requireCentreAndSize(isDense: false)
        guard unit == .fractions else { throw HeadMisfit(reason: "the boxes are no fractions of the input") }
    }

    func read<Element: ScoreElement>(
        _ values: Span<Element>,
        shape: [Int],
        input: PixelSize,
        filter: CandidateFilter
    ) throws(HeadMisfit) -> [Candidate] {
        guard hasClassNumber else {
            return try ClassRows(attributes: attributes, classCount: classCount, unit: unit)
                .candidates(values, shape: shape, input: input, filter: filter)
        }
        return try CornerRows(attributes: attributes, unit: unit)
            .candidates(values, shape: shape, input: input, filter: filter)
            .map { candidate in
                let sides = candidate.box
                var candidate = candidate
                candidate.box = Box(centreX: sides.x1, centreY: sides.y1, width: sides.x2, height: sides.y2)
                return candidate
            }
    }
}

extension HeadEvidence {
    /// Whether the metadata are those of Ultralytics' RT-DETR.
    var namesRTDETR: Bool {
        metadata["head"] == "RTDETRDecoder" || (metadata["description"] ?? "").lowercased().contains("rtdetr")
    }
}
