// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidJobs
import NereidServer

#if canImport(FoundationEssentials)
import FoundationEssentials
#endif
import Foundation

/// Where results of many pictures go, one by one, so that a long run shows and keeps what it has.
final class PredictionOutput {
    enum Format: String, CaseIterable {
        case json, jsonl, csv
    }

    private let format: Format
    private let file: FileHandle
    private var isFirst: Bool

    /// Opens a file, or standard output.
    ///
    /// - Parameter earlier: what an earlier run left in the file, behind which results are written.
    init(format: Format, path: String?, after earlier: EarlierResults? = nil) throws {
        self.format = format
        isFirst = earlier.map { $0.length == 0 } ?? true
        guard let path else {
            file = .standardOutput
            return
        }
        let isThere = earlier != nil && FileManager.default.fileExists(atPath: path)
        try OutputPath.checkFile(path)
        guard isThere || FileManager.default.createFile(atPath: path, contents: nil),
            let file = FileHandle(forWritingAtPath: path)
        else { throw CommandFailure("the file ‘\(path)’ can't be written; is its folder there?") }
        if isThere, let earlier {
            try file.truncate(atOffset: UInt64(earlier.length))
            try file.seekToEnd()
        }
        self.file = file
    }

    func begin() throws {
        switch format {
        case .json: try put("[")
        case .jsonl: break
        case .csv: if isFirst { try put(CSVFormat.headings) }
        }
    }

    func write(_ path: String, _ result: Result<JobAnswer, any Error>, model: String) throws {
        switch format {
        case .json, .jsonl:
            let document =
                switch result {
                case .success(let answer):
                    PictureResultDocument(
                        file: path,
                        answer: PredictionDocument(id: path, model: model, answer: answer)
                    )
                case .failure(let error): PictureResultDocument(file: path, error: error)
                }
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            let text = String(decoding: try encoder.encode(document), as: UTF8.self)
            try put(format == .jsonl ? text + "\n" : (isFirst ? "\n" : ",\n") + text)
        case .csv:
            try put(CSVFormat.lines(file: path, model: model, result))
            if case .failure(let error) = result { standardError("\(path): \(error)") }
        }
        isFirst = false
    }

    func end() throws {
        if format == .json { try put("\n]\n") }
    }

    private func put(_ text: String) throws {
        try file.write(contentsOf: Data(text.utf8))
    }
}

/// Writes a line to standard error, with unprintable characters escaped: file names may hold any.
func standardError(_ line: String) {
    try? FileHandle.standardError.write(contentsOf: Data((line.printable(keeping: ["\n"]) + "\n").utf8))
}
