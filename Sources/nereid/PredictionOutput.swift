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
        case json, csv
    }

    private let format: Format
    private let file: FileHandle
    private var isFirst = true

    /// Opens a file, or standard output.
    init(format: Format, path: String?) throws {
        self.format = format
        guard let path else {
            file = .standardOutput
            return
        }
        guard FileManager.default.createFile(atPath: path, contents: nil), let file = FileHandle(forWritingAtPath: path)
        else { throw CommandFailure("the file \(path) can't be written; is its folder there?") }
        self.file = file
    }

    func begin() throws {
        try put(format == .json ? "[" : CSVFormat.headings)
    }

    func write(_ path: String, _ result: Result<JobAnswer, any Error>, model: String) throws {
        switch format {
        case .json:
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
            try put((isFirst ? "\n" : ",\n") + String(decoding: try encoder.encode(document), as: UTF8.self))
        case .csv:
            switch result {
            case .success(let answer):
                try put(CSVFormat.lines(file: path, answer.detections))
                try put(CSVFormat.lines(file: path, classifications: answer.classifications))
            case .failure(let error): standardError("\(path): \(error)")
            }
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
