// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Finds the head that reads a model's outputs, by evidence in this order: settings, metadata, names, shapes, values.
///
/// A head is taken only if it is the one that is left. Layouts that are known but not read are refused by their name.
enum HeadRecognition {
    /// A head, which it is, and why it was taken.
    struct Recognised {
        let kind: HeadKind
        let head: any Head
        let reason: String
    }

    /// Every head, in the order in which an error lists them: what the metadata tell comes first.
    static let order: [HeadKind] = [
        .yolov5Maps, .yolov8Maps, .yolov8, .yolov8Rows, .endToEnd, .rtdetr, .yolox, .yoloxDecoded, .yolov5, .deepStream,
        .yolov7EndToEnd, .fastestV2, .ssd, .classifier, .retinaNet, .rcnn,
    ]

    /// The heads that the metadata leave.
    private static func order(for evidence: HeadEvidence) -> [HeadKind] {
        switch evidence.layout {
        case .yolov5Maps: [.yolov5Maps]
        case .yolov8Maps: [.yolov8Maps]
        case .probabilities: [.classifier]
        case .retinaNet: [.retinaNet]
        case .rcnn: [.rcnn]
        case .decoded, nil: evidence.namesRTDETR ? [.rtdetr] : order
        }
    }

    /// The head that reads the outputs.
    ///
    /// - Parameters:
    ///   - asked: the head that the settings name, which overrules everything but the shapes; `nil` to find one.
    /// - Throws: ``VisionError/headDoesNotFit(model:head:outputs:reason:)`` for the one asked for;
    ///   ``VisionError/unsupportedLayout(model:layout:because:advice:)``;
    ///   ``VisionError/ambiguousHead(model:outputs:candidates:)`` when several fit;
    ///   ``VisionError/labelCount(model:labels:classes:)`` when one would fit but for the labels of the settings;
    ///   ``VisionError/unknownHead(model:outputs:tried:)`` with every reason.
    static func head(
        for evidence: HeadEvidence,
        asked: HeadKind?,
        model: String
    ) throws(VisionError) -> Recognised {
        do throws(VisionError) {
            return try find(evidence, asked: asked, model: model)
        } catch {
            throw misfitOfLabels(evidence, asked: asked, model: model) ?? error
        }
    }

    /// The same as a value.
    static func result(
        for evidence: HeadEvidence,
        asked: HeadKind?,
        model: String
    ) -> Result<Recognised, VisionError> {
        do throws(VisionError) {
            return .success(try head(for: evidence, asked: asked, model: model))
        } catch { return .failure(error) }
    }

    private static func find(
        _ evidence: HeadEvidence,
        asked: HeadKind?,
        model: String
    ) throws(VisionError) -> Recognised {
        if let asked { return try head(asked, evidence, model: model) }
        return try recognise(evidence, model: model)
    }

    private static func head(
        _ asked: HeadKind,
        _ evidence: HeadEvidence,
        model: String
    ) throws(VisionError) -> Recognised {
        var evidence = evidence
        evidence.isAsked = true
        do throws(HeadMisfit) {
            let head = try asked.head.init(fitting: evidence)
            return Recognised(kind: asked, head: head, reason: "the settings name it; \(head.reason)")
        } catch {
            throw .headDoesNotFit(
                model: model,
                head: asked.rawValue,
                outputs: evidence.outputsInWords,
                reason: error.reason
            )
        }
    }

    private static func recognise(_ evidence: HeadEvidence, model: String) throws(VisionError) -> Recognised {
        var found: [Recognised] = []
        var tried: [String] = []
        for kind in order(for: evidence) {
            do throws(HeadMisfit) {
                let head = try kind.head.init(fitting: evidence)
                try head.check(evidence)
                found.append(Recognised(kind: kind, head: head, reason: head.reason))
            } catch {
                tried.append("\(kind.rawValue): \(error.reason)")
            }
        }
        if found.count == 1 { return found[0] }
        guard found.isEmpty else {
            throw .ambiguousHead(
                model: model,
                outputs: evidence.outputsInWords,
                candidates: found.map { "‘head: \($0.kind.rawValue)’ (\($0.reason))" }
            )
        }
        if let refusal = ForeignLayout.refusal(evidence, model: model) { throw refusal }
        throw .unknownHead(model: model, outputs: evidence.outputsInWords, tried: tried)
    }

    /// The error to tell if a head would be found without the labels that the settings give.
    private static func misfitOfLabels(_ evidence: HeadEvidence, asked: HeadKind?, model: String) -> VisionError? {
        guard let given = evidence.givenLabelCount, evidence.layout == nil else { return nil }
        var without = evidence
        without.givenLabelCount = nil
        guard let found = try? find(without, asked: asked, model: model) else { return nil }
        return .labelCount(model: model, labels: given, classes: found.head.classCount)
    }
}

extension HeadEvidence {
    /// Names and shapes of the outputs, for errors.
    var outputsInWords: String { outputs.map(\.description).joined(separator: ", ") }
}
