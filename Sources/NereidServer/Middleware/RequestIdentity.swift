// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import HTTPTypes
import Logging
import NereidJobs

/// What a client says of its request, so that it can be found in logs: an id, and the trace that it belongs to. Both are kept
/// as they are, or not at all.
enum RequestIdentity {
    /// The most characters of an id.
    static let longestID = 128

    /// The id that the client gave its request.
    ///
    /// - Returns: `nil` when there is none, more than one, or one that is empty, longer than 128 characters or has other
    ///   characters than letters and digits of ASCII and `-._:/+=@`.
    static func id(in headers: HTTPFields) -> String? {
        let values = headers[values: .requestID]
        guard values.count == 1, (1...longestID).contains(values[0].utf8.count),
            values[0].utf8.allSatisfy(isAllowed)
        else { return nil }
        return values[0]
    }

    /// The trace that the request belongs to.
    ///
    /// - Returns: `nil` when there is none, more than one, or one that W3C Trace Context calls invalid.
    static func trace(in headers: HTTPFields) -> TraceParent? {
        let values = headers[values: .traceParent]
        return values.count == 1 ? TraceParent(values[0]) : nil
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "-._:/+=@".utf8.contains(byte)
        }
    }
}

extension HTTPField.Name {
    /// The place of the request in a distributed trace (W3C Trace Context).
    static let traceParent = HTTPField.Name("traceparent")!
    /// What tracing systems add to it, which pages may send too.
    static let traceState = HTTPField.Name("tracestate")!
}
