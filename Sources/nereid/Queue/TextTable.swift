// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidModels

/// Rows in columns that line up, for a terminal. Numbers stand at the right of their column.
struct TextTable: CustomStringConvertible {
    let headings: [String]
    let rows: [[String]]

    var description: String {
        // Names and reasons come from whoever writes to the queue.
        let rows = rows.map { $0.map { $0.printable() } }
        let columns = headings.indices.map { column in
            (
                width: ([headings] + rows).map { $0[column].count }.max() ?? 0,
                isNumeric: !rows.isEmpty && rows.allSatisfy { Int($0[column]) != nil }
            )
        }
        return ([headings] + rows).map { row in
            let cells = zip(row, columns).map { cell, column in
                let padding = String(repeating: " ", count: column.width - cell.count)
                return column.isNumeric ? padding + cell : cell + padding
            }
            let line = cells.joined(separator: "  ")
            return String(line.reversed().drop { $0 == " " }.reversed())
        }.joined(separator: "\n")
    }
}
