// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging
import NereidInference

/// Rows of numbers that the loading runs gave, as a head would read them: enough of them to tell layouts apart.
///
/// Rows with a number that is not finite are left out: a network may divide by the contrast of a black picture.
struct ObservedRows: Sendable {
    struct Row: Sendable {
        /// Which loading run gave it; 0 is the black picture.
        let run: Int
        /// Its place among the rows of that run.
        let number: Int
        let values: [Float]
    }

    let rows: [Row]
    let input: PixelSize
    /// The unit of boxes in the first four columns.
    let unit: BoxUnit

    init(rows: [Row], input: PixelSize) {
        self.rows = rows
        self.input = input
        unit = Self.unit(of: rows)
    }

    private init(rows: [Row], input: PixelSize, unit: BoxUnit) {
        (self.rows, self.input, self.unit) = (rows, input, unit)
    }

    /// Fractions if no number is larger than fractions can be.
    private static func unit(of rows: [Row]) -> BoxUnit {
        var isZero = true
        for row in rows where row.values.count >= 4 {
            for column in 0..<4 {
                if abs(row.values[column]) > (column < 2 ? 2 : 4) { return .pixels }
                if row.values[column] != 0 { isZero = false }
            }
        }
        return isZero ? .pixels : .fractions
    }

    var isEmpty: Bool { rows.isEmpty }

    /// How many rows of each run are looked at, evenly spread.
    static let mostRows = 2000

    /// The least and the greatest of the numbers in these columns; `nil` when there are none.
    func range(_ columns: some Collection<Int>) -> ClosedRange<Float>? {
        var (least, most): (Float, Float) = (.infinity, -.infinity)
        for row in rows {
            for column in columns {
                least = min(least, row.values[column])
                most = max(most, row.values[column])
            }
        }
        return least <= most ? least...most : nil
    }

    /// The part of the rows for which something holds, 0…1; 1 when there are no rows.
    func share(_ holds: (Row) -> Bool) -> Double {
        rows.isEmpty ? 1 : Double(rows.count(where: holds)) / Double(rows.count)
    }

    /// The rows for which something holds.
    func filter(_ holds: (Row) -> Bool) -> ObservedRows {
        ObservedRows(rows: rows.filter(holds), input: input, unit: unit)
    }
}

extension HeadEvidence {
    /// How rows lie in an output of three dimensions.
    enum Arrangement {
        /// `[N, rows, values]`; also `[rows, values]`.
        case rows
        /// `[N, values, rows]`.
        case planes
    }

    /// Rows of an output in the first two loading runs, of the first picture of each.
    func observedRows(output: Int = 0, _ arrangement: Arrangement = .rows) -> ObservedRows {
        var rows: [ObservedRows.Row] = []
        for (run, outputs) in runs.prefix(2).enumerated() where outputs.indices.contains(output) {
            rows += outputs[output].observedRows(arrangement, run: run)
        }
        return ObservedRows(rows: rows, input: input)
    }

    /// Rows of the first output in the run with pixels of 0…255; none if there was none. A network that was trained on 0…1
    /// may answer it with anything.
    var rowsOfBrightRun: ObservedRows {
        let rows = runs.count > 2 ? runs[2].first?.observedRows(.rows, run: 2) ?? [] : []
        return ObservedRows(rows: rows, input: input)
    }
}

extension Tensor {
    fileprivate func observedRows(_ arrangement: HeadEvidence.Arrangement, run: Int) -> [ObservedRows.Row] {
        let extent = shape.suffix(2)
        guard (2...3).contains(shape.count), count > 0, let first = extent.first, let second = extent.last else {
            return []
        }
        let (rowCount, columnCount) = arrangement == .rows ? (first, second) : (second, first)
        let (rowStep, columnStep) = arrangement == .rows ? (columnCount, 1) : (1, rowCount)
        let numbers = Swift.stride(from: 0, to: rowCount, by: max(1, rowCount / ObservedRows.mostRows))
        let places = numbers.flatMap { row in (0..<columnCount).map { row * rowStep + $0 * columnStep } }
        // Whole numbers have outputs of their own; rows are floating point.
        guard let values = try? floats(at: places) else { return [] }
        return numbers.enumerated().compactMap { index, number in
            let row = Array(values[index * columnCount..<(index + 1) * columnCount])
            return row.allSatisfy(\.isFinite) ? ObservedRows.Row(run: run, number: number, values: row) : nil
        }
    }
}
