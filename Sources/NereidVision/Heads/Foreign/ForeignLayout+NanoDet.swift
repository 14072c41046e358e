// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension ForeignLayout {
    /// NanoDet: class probabilities, then for each side the logits of its distribution.
    static let nanoDet = ForeignLayout(
        name: "NanoDet",
        advice: "Serve a model of another framework; no export of this one is served yet"
    ) { evidence in
        guard evidence.isRun, evidence.outputs.count == 1, evidence.outputs[0].shape.count == 3 else { return nil }
        let columns = evidence.outputs[0].shape[2]
        let observed = evidence.observedRows()
        for bins in [8, 11, 15, 16, 17] where columns > 4 * bins && !observed.isEmpty {
            let classes = columns - 4 * bins
            guard let sides = observed.range(classes..<columns), sides.lowerBound < -0.1 || sides.upperBound > 1.1
            else {
                continue
            }
            do throws(HeadMisfit) { try observed.requireProbabilities(0..<classes) } catch { continue }
            return "rows of \(columns) values are \(classes) probabilities and 4 × \(bins) logits"
        }
        return nil
    }
}
