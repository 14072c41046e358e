// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore

@testable import NereidServer

/// A part of a form, put together from a parser's events.
struct MultipartPart: Equatable {
    let headers: PartHeaders
    var content: [UInt8] = []
    var isComplete = false
}

extension MultipartParser {
    /// Parses a whole body that comes in chunks of these sizes, again and again.
    static func parts(
        of body: [UInt8],
        inChunksOf sizes: [Int],
        boundary: String = Form.boundary,
        limits: Limits = .init()
    ) -> Result<[MultipartPart], MultipartError> {
        var parser = MultipartParser(boundary: boundary, limits: limits)
        var parts: [MultipartPart] = []
        var (rest, turn) = (body[...], 0)
        do throws(MultipartError) {
            while !rest.isEmpty {
                let chunk = rest.prefix(sizes[turn % sizes.count])
                rest = rest.dropFirst(chunk.count)
                turn += 1
                for event in try parser.read(ByteBuffer(bytes: chunk)) {
                    switch event {
                    case .part(let headers): parts.append(MultipartPart(headers: headers))
                    case .content(let piece): parts[parts.count - 1].content += Array(piece.readableBytesView)
                    case .partEnd: parts[parts.count - 1].isComplete = true
                    }
                }
            }
            try parser.finish()
            return .success(parts)
        } catch {
            return .failure(error)
        }
    }
}
