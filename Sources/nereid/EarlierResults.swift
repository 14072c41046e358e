// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidServer

#if canImport(FoundationEssentials)
import FoundationEssentials
#endif
import Foundation

/// What an earlier run left in its file of results, so that another can go on.
struct EarlierResults: Equatable {
    /// The pictures that have a result, by the names that they have in the file.
    private(set) var names: Set<String> = []
    /// The bytes to keep: those up to the end of the last whole result.
    private(set) var length = 0

    private let format: PredictionOutput.Format

    /// Reads a file; one that is not there holds nothing. Blocks its thread.
    ///
    /// What follows the last line break was cut short when the run was ended, and is left out. In a table a picture may have
    /// several lines, of which some may be missing at the end: the last picture is left out if it is one of those that are to
    /// be answered now.
    ///
    /// - Parameters:
    ///   - format: JSON lines or CSV.
    ///   - pictures: the pictures that are to be answered.
    ///   - model: the model's name, which a table has in each line.
    /// - Throws: ``CommandFailure`` for a file that this command did not write in that format.
    init(in path: String, format: PredictionOutput.Format, pictures: [String], model: String) throws {
        self.format = format
        guard FileManager.default.fileExists(atPath: path) else { return }
        guard let file = FileHandle(forReadingAtPath: path) else {
            throw CommandFailure("the file ‘\(path)’ can't be read, so that its results can't be resumed")
        }
        defer { try? file.close() }
        var records = RecordReader(splitsQuotes: format == .jsonl)
        var table = Table()
        while let chunk = try file.read(upToCount: 1 << 20), !chunk.isEmpty {
            for record in records.read(chunk) {
                let isUsable = format == .jsonl ? readLine(record) : readRow(record, model: model, &table)
                guard isUsable else {
                    throw CommandFailure(
                        "‘\(path)’ is not a file that ‘nereid predict --format \(format.rawValue)’ wrote with model "
                            + "‘\(model)’: its line \(records.count) is another. Name another file, or leave out --resume"
                    )
                }
            }
        }
        if format == .jsonl {
            length = records.length
        } else if let last = table.last, pictures.contains(where: { CSVFormat.defused($0) == last }) {
            names.remove(last)
            length = table.start
        } else {
            length = records.length
        }
    }

    /// Whether a picture has a result.
    func contains(_ picture: String) -> Bool {
        names.contains(format == .csv ? CSVFormat.defused(picture) : picture)
    }

    private struct Line: Decodable {
        let file: String
    }

    private mutating func readLine(_ record: RecordReader.Record) -> Bool {
        guard let line = try? JSONDecoder().decode(Line.self, from: Data(record.bytes)) else { return false }
        names.insert(line.file)
        return true
    }

    /// How far a table is read.
    private struct Table {
        var hasHeadings = false
        /// The picture of the last line, and where the first of its lines begins.
        var last: String?
        var start = 0
    }

    private mutating func readRow(_ record: RecordReader.Record, model: String, _ table: inout Table) -> Bool {
        let fields = record.fields
        guard table.hasHeadings else {
            table.hasHeadings = fields == CSVFormat.columns
            return table.hasHeadings
        }
        guard fields.count == CSVFormat.columns.count, let name = fields.first,
            CSVFormat.columns.firstIndex(of: "model").map({ fields[$0] }) == CSVFormat.defused(model)
        else { return false }
        if name != table.last { (table.last, table.start) = (name, record.start) }
        names.insert(name)
        return true
    }
}
