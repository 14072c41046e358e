// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Synchronization

@testable import NereidVision

/// What docs/checkpoints.md shows of the comparison with the frameworks: rows of Markdown, added to the file that the variable
/// `REFERENCE_TABLE` names, if it names one.
enum ReferenceTable {
    /// One checkpoint over all photos and modes.
    struct Row {
        let checkpoint: String
        private var runs = 0
        private var stable = 0
        private var found = 0
        private var boxDifference: Float = 0
        private var scoreDifference: Float = 0

        init(checkpoint: String) {
            self.checkpoint = checkpoint
        }

        /// Counts one run; every stable detection is measured against the nearest one of its class.
        mutating func add(_ run: ReferenceFile.Run, _ detections: [Detection]) {
            runs += 1
            for item in run.detections ?? [] where item.stable {
                stable += 1
                let nearest = detections.filter { $0.classID == item.classId }
                    .map { (box: Self.difference($0, item), score: abs($0.score - item.score)) }
                    .min { $0.box + $0.score < $1.box + $1.score }
                guard let nearest, nearest.box < 0.5, nearest.score < 2e-3 else { continue }
                found += 1
                boxDifference = max(boxDifference, nearest.box)
                scoreDifference = max(scoreDifference, nearest.score)
            }
        }

        /// Counts one run of which it is known how far each stable detection is from its partner; `nil` where there is none.
        mutating func add(_ differences: [(box: Float, score: Float)?]) {
            runs += 1
            stable += differences.count
            for difference in differences.compactMap(\.self) {
                found += 1
                boxDifference = max(boxDifference, difference.box)
                scoreDifference = max(scoreDifference, difference.score)
            }
        }

        private static func difference(_ detection: Detection, _ item: ReferenceFile.Expected) -> Float {
            if let numbers = item.xywhr {
                guard let box = detection.rotation else { return .infinity }
                return zip([box.centre.x, box.centre.y, box.width, box.height], numbers).map { abs($0 - $1) }.max() ?? 0
            }
            guard let edges = item.boxXyxy else { return .infinity }
            let box = detection.box
            return zip([box.x1, box.y1, box.x2, box.y2], edges).map { abs($0 - $1) }.max() ?? 0
        }

        var markdown: String {
            let name = checkpoint.split(separator: "/").last.map(String.init) ?? checkpoint
            return "| `\(name)` | \(runs) | \(found) of \(stable) | "
                + "\(Self.rounded(boxDifference, 1e3)) | \(Self.rounded(scoreDifference, 1e5)) |\n"
        }

        private static func rounded(_ value: Float, _ unit: Double) -> Double {
            (Double(value) * unit).rounded(.up) / unit
        }
    }

    private static let lock = Mutex(())

    static func add(_ row: Row) throws {
        guard let path = ProcessInfo.processInfo.environment["REFERENCE_TABLE"] else { return }
        try lock.withLock { _ in
            let url = URL(fileURLWithPath: path)
            let text = (try? String(contentsOf: url, encoding: .utf8)) ?? ""
            try Data((text + row.markdown).utf8).write(to: url)
        }
    }
}
