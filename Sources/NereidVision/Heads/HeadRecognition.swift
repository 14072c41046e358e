// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Finds the head that fits a model's outputs.
enum HeadRecognition {
    /// Tried in this order: the layouts with the most telling shapes come first.
    static let order: [HeadKind] = [.yolov8, .endToEnd, .yolox, .yolov5, .fastestV2, .ssd]

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
        for kind in asked.map({ [$0] }) ?? order {
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
