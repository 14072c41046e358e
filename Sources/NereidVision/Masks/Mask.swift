// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import NereidImaging

/// The pixels of a picture that belong to one object, as run lengths.
///
/// The runs go down the columns, from the left column to the right one, and are alternately outside and inside; the first
/// one is outside and may be empty. This is the run-length encoding of the COCO data set (`pycocotools`,
/// `common/maskApi.h`).
public struct Mask: Sendable, Hashable {
    /// The size of the picture.
    public let size: PixelSize
    /// The lengths of the runs: outside, inside, outside, …; their sum is width times height.
    public let counts: [UInt32]

    /// Makes a mask of runs; `nil` when they do not add up to the picture.
    public init?(size: PixelSize, counts: [UInt32]) {
        let (area, overflow) = size.width.multipliedReportingOverflow(by: size.height)
        guard size.width >= 0, size.height >= 0, !overflow, counts.reduce(0, { $0 + Int($1) }) == area else {
            return nil
        }
        self.size = size
        self.counts = counts
    }

    /// The number of pixels inside.
    public var area: Int { insideRuns.reduce(0) { $0 + $1.count } }

    /// Whether no pixel is inside.
    public var isEmpty: Bool { counts.count < 2 }

    /// Whether a pixel is inside. Takes longer the further to the right it lies.
    public func contains(x: Int, y: Int) -> Bool {
        let position = x * size.height + y
        return insideRuns.contains { $0.contains(position) }
    }

    /// The pixels inside, counted down the columns, run by run.
    var insideRuns: [Range<Int>] {
        var runs: [Range<Int>] = []
        var position = 0
        for (index, count) in counts.enumerated() {
            if index % 2 == 1, count > 0 { runs.append(position..<position + Int(count)) }
            position += Int(count)
        }
        return runs
    }

    /// The runs inside cut at the ends of columns: for each piece its column and its rows, from the left, from the top.
    func forEachColumnRun<Stop: Error>(_ body: (_ column: Int, _ rows: Range<Int>) throws(Stop) -> Void) throws(Stop) {
        guard size.height > 0 else { return }
        for run in insideRuns {
            var start = run.lowerBound
            while start < run.upperBound {
                let column = start / size.height
                let end = min(run.upperBound, (column + 1) * size.height)
                try body(column, start - column * size.height..<end - column * size.height)
                start = end
            }
        }
    }
}

/// Gathers the runs of a mask, from the left column to the right one and down each column.
struct MaskBuilder {
    private let size: PixelSize
    private var counts: [UInt32] = []
    /// Where the last run inside ended.
    private var position = 0

    init(size: PixelSize) {
        self.size = size
    }

    /// Adds the rows of a column, which must lie behind everything that was added before. Empty ranges add nothing.
    mutating func add(column: Int, rows: Range<Int>) {
        guard !rows.isEmpty else { return }
        let start = column * size.height + rows.lowerBound
        if start == position, !counts.isEmpty {
            counts[counts.count - 1] += UInt32(rows.count)
        } else {
            counts.append(UInt32(start - position))
            counts.append(UInt32(rows.count))
        }
        position = start + rows.count
    }

    /// The mask of all that was added.
    func mask() -> Mask {
        let rest = size.width * size.height - position
        let whole = rest > 0 || counts.isEmpty ? counts + [UInt32(rest)] : counts
        guard let mask = Mask(size: size, counts: whole) else {
            preconditionFailure("runs were added out of order")
        }
        return mask
    }
}
