// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore

/// One event of `text/event-stream` (HTML Standard, section 9.2).
struct ServerSentEvent {
    /// What `Last-Event-ID` says when the client comes again.
    var id: Int?
    let event: String
    /// JSON, which holds no line break.
    let data: ByteBuffer

    /// The event as it is sent.
    var text: ByteBuffer {
        var text = ByteBuffer()
        if let id { text.writeString("id: \(id)\n") }
        text.writeString("event: \(event)\ndata: ")
        text.writeImmutableBuffer(data)
        text.writeString("\n\n")
        return text
    }

    /// A line that clients pass over, which shows that the connection lives.
    static let comment = ByteBuffer(string: ":\n\n")

    /// How long a client waits before it connects again.
    static func retry(after wait: Duration) -> ByteBuffer {
        ByteBuffer(string: "retry: \(Int(wait / .milliseconds(1)))\n\n")
    }
}
