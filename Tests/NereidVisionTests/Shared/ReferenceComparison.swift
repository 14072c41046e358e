// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging
import Testing

@testable import NereidVision

/// Compares what was found on a photo with what the framework found.
struct ReferenceComparison {
    let run: ReferenceFile.Run
    let letterbox: Letterbox

    /// Greatest difference of a coordinate, in pixels of the photo, and of a score.
    private static let (distance, scoreDifference): (Float, Float) = (0.5, 2e-3)
    /// The same in radians.
    private static let angleDifference: Float = 2e-3

    private var place: String { "\(run.photo), \(run.mode)" }

    /// Every stable detection has a partner of its own, and every other one found is known to come and go.
    func check(_ found: [Detection]) {
        var left = found
        let expected = run.detections ?? []
        // Stable ones first, so that none loses its partner to a twin that need not be there.
        for item in expected.filter(\.stable) + expected.filter({ !$0.stable }) {
            if let index = left.firstIndex(where: { isPartner($0, of: item) }) {
                checkExtras(left[index], item)
                left.remove(at: index)
            } else if item.stable {
                Issue.record("\(place): missing \(item), nearest \(nearest(to: item, in: found))")
            }
        }
        let unexplained = left.filter { detection in
            !(run.mayAppear ?? []).contains { possible in
                possible.classId == detection.classID
                    && abs(possible.score - detection.score) < Self.scoreDifference * 5
                    && letterbox.pictureBox(Box(edges: possible.boxNetXyxy)).isNear(detection.box, within: 2)
            }
        }
        #expect(unexplained.isEmpty, "\(place)")
    }

    private func isPartner(_ detection: Detection, of item: ReferenceFile.Expected) -> Bool {
        guard detection.classID == item.classId, abs(detection.score - item.score) < Self.scoreDifference else {
            return false
        }
        if let numbers = item.xywhr {
            guard let box = detection.rotation else { return false }
            let own = [box.centre.x, box.centre.y, box.width, box.height]
            return zip(own, numbers).allSatisfy { abs($0 - $1) < Self.distance }
                && abs(box.angle - numbers[4]) < Self.angleDifference
        }
        return detection.box.isNear(Box(edges: item.boxXyxy ?? []), within: Self.distance)
    }

    private func checkExtras(_ detection: Detection, _ item: ReferenceFile.Expected) {
        if let corners = item.corners, let box = detection.rotation {
            for (corner, place) in zip(box.corners, stride(from: 0, to: corners.count, by: 2)) {
                #expect(abs(corner.x - corners[place]) < 1 && abs(corner.y - corners[place + 1]) < 1, "\(self.place)")
            }
        }
        guard let keypoints = item.keypoints else { return }
        #expect(detection.keypoints?.count == keypoints.count)
        for (own, numbers) in zip(detection.keypoints ?? [], keypoints) {
            let isNear = abs(own.x - numbers[0]) < Self.distance && abs(own.y - numbers[1]) < Self.distance
            #expect(isNear, "\(place): \(own), expected \(numbers)")
            #expect(abs((own.score ?? 0) - numbers[2]) < Self.scoreDifference, "\(place)")
        }
    }

    private func nearest(to item: ReferenceFile.Expected, in found: [Detection]) -> String {
        let edges = item.boxXyxy ?? [item.xywhr?[0] ?? 0, item.xywhr?[1] ?? 0, 0, 0]
        func distance(_ detection: Detection) -> Float {
            let x = item.xywhr == nil ? detection.box.x1 : detection.rotation?.centre.x ?? 0
            let y = item.xywhr == nil ? detection.box.y1 : detection.rotation?.centre.y ?? 0
            return abs(x - edges[0]) + abs(y - edges[1])
        }
        return found.min { distance($0) < distance($1) }.map { "\($0.box) \($0.score) \($0.classID)" } ?? "none"
    }

    /// The masks of what was found on the network's input are those of the reference, but for pixels at the threshold.
    func checkMasks(_ found: [Detection]) {
        var compared = 0
        for item in run.detections ?? [] where item.stable {
            guard let edges = item.boxXyxy, let runs = item.maskRleNet else { continue }
            let expected = Box(edges: edges)
            // The reference's boxes are cut at the photo's border, those found on the input are not.
            let partner = found.first { detection in
                detection.classID == item.classId && abs(detection.score - item.score) < Self.scoreDifference
                    && letterbox.pictureBox(detection.box).isNear(expected, within: Self.distance)
            }
            guard let mask = partner?.mask else {
                Issue.record("\(place): no mask for \(expected), class \(item.classId)")
                continue
            }
            let (differing, area) = Self.difference(mask, runs)
            #expect(differing <= max(2, area / 200), "\(place): \(differing) of \(area) pixels at \(expected)")
            compared += 1
        }
        #expect(compared > 0)
    }

    /// How many pixels differ, and how many the reference has. Its runs go along the rows.
    private static func difference(_ mask: Mask, _ runs: [Int]) -> (differing: Int, area: Int) {
        var isInside = [Bool](repeating: false, count: mask.size.width * mask.size.height)
        mask.forEachColumnRun { column, rows in
            for row in rows { isInside[row * mask.size.width + column] = true }
        }
        var (position, area, common) = (0, 0, 0)
        for (index, length) in runs.enumerated() {
            if index % 2 == 1 {
                area += length
                for place in position..<position + length where isInside[place] { common += 1 }
            }
            position += length
        }
        return (area + mask.area - 2 * common, area)
    }
}
