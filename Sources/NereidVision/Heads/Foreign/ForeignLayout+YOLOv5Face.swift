// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension ForeignLayout {
    /// YOLOv5-face: box, objectness, five landmarks, one class in a row.
    static let yolov5Face = ForeignLayout(
        name: "YOLOv5-face (boxes with five landmarks)",
        advice: "Serve a pose model of Ultralytics, whose points are served"
    ) { evidence in
        guard evidence.isRun, let shape = evidence.outputs.first?.shape, shape.count == 3, shape[2] == 16 else {
            return nil
        }
        let observed = evidence.observedRows()
        guard !observed.isEmpty, let landmarks = observed.range(5..<15), landmarks.upperBound > 2 else { return nil }
        do throws(HeadMisfit) { try observed.requireProbabilities([4, 15]) } catch { return nil }
        return "rows of 16 values hold coordinates between objectness and class"
    }
}
