// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Finds the head that fits a model's outputs.
enum HeadRecognition {
    /// Tried in this order: what the metadata tell comes first, then the layouts with the most telling shapes.
    static let order: [HeadKind] = [
        .yolov5Maps, .yolov8Maps, .yolov8, .endToEnd, .yolox, .yolov5, .fastestV2, .ssd, .classifier, .retinaNet, .rcnn,
    ]

    /// The heads that may read a layout that the metadata names.
    private static func order(for layout: HeadEvidence.Layout?) -> [HeadKind] {
        switch layout {
        case .yolov5Maps: [.yolov5Maps]
        case .yolov8Maps: [.yolov8Maps]
        case .probabilities: [.classifier]
        case .retinaNet: [.retinaNet]
        case .rcnn: [.rcnn]
        case .decoded, nil: order
        }
    }

    /// The head that fits, and which it is.
    ///
    /// - Parameters:
    ///   - asked: the head that the settings name; `nil` to find one.
    /// - Throws: ``VisionError/unknownHead(model:outputs:tried:)`` with every reason, or
    ///   ``VisionError/headDoesNotFit(model:head:outputs:reason:)`` for the one asked for.
    static func head(
        for evidence: HeadEvidence,
        asked: HeadKind?,
        model: String
    ) throws(VisionError) -> (kind: HeadKind, head: any Head) {
        let outputs = evidence.outputs.map(\.description).joined(separator: ", ")
        var tried: [String] = []
        for kind in asked.map({ [$0] }) ?? order(for: evidence.layout) {
            do throws(HeadMisfit) {
                return (kind, try kind.head.init(fitting: evidence))
            } catch {
                if asked != nil {
                    throw .headDoesNotFit(model: model, head: kind.rawValue, outputs: outputs, reason: error.reason)
                }
                tried.append("\(kind.rawValue): \(error.reason)")
            }
        }
        throw .unknownHead(model: model, outputs: outputs, tried: tried)
    }
}
