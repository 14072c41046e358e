// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging

/// What the numbers of a box count in.
enum BoxUnit: Sendable {
    /// Pixels of the input.
    case pixels
    /// Fractions of the input's sides.
    case fractions

    /// What x and y are multiplied by to become pixels.
    func scale(_ input: PixelSize) -> SIMD2<Float> {
        self == .pixels ? SIMD2(1, 1) : SIMD2(Float(input.width), Float(input.height))
    }

    /// - Throws: ``HeadMisfit`` for keypoints beside boxes as fractions: no export is known to tell what they count in.
    func requireNoKeypoints(_ extra: Extra?) throws(HeadMisfit) {
        if case .keypoints = extra, self == .fractions {
            throw HeadMisfit(reason: "keypoints beside boxes as fractions of the input are not read")
        }
    }

    /// For the log; pixels are what is usual.
    var remark: String { self == .pixels ? "" : ", boxes as fractions of the input" }
}

/// Signs by which the values of one layout differ from those of another. Only what no network of a layout gives contradicts
/// it: a weak network gives low scores and poor boxes, and neither is a sign.
extension ObservedRows {
    /// A row's first four numbers as fractions of the input.
    private func box(_ row: Row) -> SIMD4<Float> {
        SIMD4(row.values[0], row.values[1], row.values[2], row.values[3])
            / SIMD4(lowHalf: unitScale, highHalf: unitScale)
    }

    private var unitScale: SIMD2<Float> {
        unit == .fractions ? SIMD2(1, 1) : SIMD2(Float(input.width), Float(input.height))
    }

    // MARK: Scores

    /// Numbers above 1 by no more than this are probabilities that were rounded: half precision, 8-bit quantisation.
    static let rounding: Float = 0.01

    /// - Throws: ``HeadMisfit`` when the columns hold numbers that are no probabilities.
    func requireProbabilities(_ columns: some Collection<Int>) throws(HeadMisfit) {
        guard let range = self.range(columns), range.lowerBound < -Self.rounding || range.upperBound > 1 + Self.rounding
        else {
            return
        }
        throw HeadMisfit(reason: "the scores reach from \(range.lowerBound) to \(range.upperBound), not from 0 to 1")
    }

    /// - Throws: ``HeadMisfit`` when the column holds something else than numbers of classes.
    func requireClassNumbers(_ column: Int) throws(HeadMisfit) {
        for row in rows {
            let value = row.values[column]
            guard value >= -1, value < 1_000_000, abs(value - value.rounded()) < 1e-3 else {
                throw HeadMisfit(reason: "value \(column + 1) of a row is \(value), not the number of a class")
            }
        }
    }

    /// Whether the column is 1 in every row, as the objectness of a network without one is.
    func isOne(_ column: Int) -> Bool { !isEmpty && range(column...column) == 1...1 }

    /// - Throws: ``HeadMisfit`` when the fifth column can't be an objectness that the classes after it depend on.
    func requireObjectness() throws(HeadMisfit) {
        let present = filter { $0.values[4] > 0.5 }
        if !present.isEmpty, present.share({ ($0.values[5...].max() ?? 0) < 0.05 }) >= 0.5 {
            throw HeadMisfit(reason: "rows with a high fifth value have no class: it is a class and no objectness")
        }
    }

    /// - Throws: ``HeadMisfit`` when the fifth column can't be a class among others.
    func requireClassesOnly() throws(HeadMisfit) {
        if isOne(4) { throw HeadMisfit(reason: "the fifth value is always 1: an objectness, no class") }
        // Classes that depend on an objectness are high where nothing is; those that do not are not.
        let black = filter { $0.run == 0 }
        if !black.isEmpty, black.share({ $0.values[4] < 0.01 && ($0.values[5...].max() ?? 0) > 0.1 }) >= 0.05 {
            throw HeadMisfit(
                reason: "classes are high all over a black picture where the fifth value is low: an objectness"
            )
        }
        try requireIndependentClasses()
    }

    /// - Throws: ``HeadMisfit`` when another column is high in nearly all rows in which the fifth is.
    func requireIndependentClasses() throws(HeadMisfit) {
        for run in Set(rows.map(\.run)) {
            let present = filter { $0.run == run && $0.values[4] > 0.5 }
            if present.rows.count >= 3, present.share({ ($0.values[5...].max() ?? 0) > 0.5 }) >= 0.9 {
                throw HeadMisfit(reason: "another value is high wherever the fifth is: an objectness, no class")
            }
        }
    }

    // MARK: Boxes

    /// The rows that are not all zeros, as exporters fill up with.
    private var filled: ObservedRows { filter { row in row.values.contains { $0 != 0 } } }

    /// The part of the rows whose third and fourth number are not below the first and second.
    private var orderedShare: Double {
        filled.share { $0.values[2] >= $0.values[0] && $0.values[3] >= $0.values[1] }
    }

    /// - Parameter isDense: whether the rows belong to cells that cover the input.
    /// - Throws: ``HeadMisfit`` when the first four columns can't be centre and size.
    func requireCentreAndSize(isDense: Bool) throws(HeadMisfit) {
        guard !isEmpty else { return }
        guard share({ $0.values[2] >= 0 && $0.values[3] >= 0 }) >= 0.95 else {
            throw HeadMisfit(reason: "the boxes have sizes below zero: they are not decoded")
        }
        let reach: ClosedRange<Float> = isDense ? -0.5...1.5 : -1...2
        guard share({ reach.contains(box($0)[0]) && reach.contains(box($0)[1]) }) >= 0.9 else {
            throw HeadMisfit(reason: "the boxes' centres lie outside of the input")
        }
        guard isDense else { return }
        for axis in 0..<2 {
            guard let range = self.range(axis...axis), (range.upperBound - range.lowerBound) / unitScale[axis] >= 0.5
            else {
                throw HeadMisfit(reason: "the boxes' centres do not span the input: they are not decoded")
            }
        }
        // A box whose centre lies right of the middle would have to be wider than half of the input, and each of them so.
        if rows.count(where: { box($0)[0] > 0.5 }) >= 5, orderedShare >= 0.99 {
            throw HeadMisfit(reason: "the third and fourth values are never below the first and second: corners")
        }
    }

    /// - Throws: ``HeadMisfit`` when the first four columns can't be corners.
    func requireCorners() throws(HeadMisfit) {
        guard orderedShare >= 0.9 else {
            throw HeadMisfit(reason: "the third and fourth values are often below the first and second: no corners")
        }
        guard filled.share({ row in (0..<4).allSatisfy { (-1...2).contains(box(row)[$0]) } }) >= 0.9 else {
            throw HeadMisfit(reason: "the boxes lie outside of the input")
        }
    }

    /// Whether centres lie near the cells that their rows belong to: on average by less than 0.15 of the input.
    func followsGrid(of evidence: HeadEvidence, strides: [Int]) -> Bool {
        var (sum, count): (Float, Float) = (0, 0)
        for row in rows {
            guard let cell = evidence.cellCentre(row: row.number, strides: strides) else { return false }
            let box = box(row)
            sum += abs(box[0] - cell.x) + abs(box[1] - cell.y)
            count += 2
        }
        return count > 0 && sum / count < 0.15
    }

    /// Whether the first four columns are boxes that are decoded already, one for each cell.
    func areDecoded(of evidence: HeadEvidence, strides: [Int]) -> Bool {
        do throws(HeadMisfit) { try requireCentreAndSize(isDense: true) } catch { return false }
        return unit == .pixels || followsGrid(of: evidence, strides: strides)
    }
}
