// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// When a connection of HTTP/2 ends, and how its client learns of it (RFC 9113, 6.8).
///
/// A client may open streams until it has read that the connection ends. It is therefore warned first, with a ping behind
/// the warning; when that comes back, or after some patience, the last stream is named that is answered; and when the
/// streams are done, the connection is closed.
struct HTTP2Lifetime: Equatable {
    /// What to do.
    enum Action: Equatable {
        case nothing
        /// Let time pass, and call ``idled()`` if no stream is opened.
        case awaitStreams
        /// Say that the connection will end, ping, and call ``warned()`` when that comes back or does not come.
        case warn
        /// Say which stream is the last one to be answered, and close if so.
        case refuse(after: Int, closes: Bool)
        /// All is answered: close.
        case close
    }

    private enum Phase { case open, warned, refusing }

    private var phase = Phase.open
    private var isStopping = false
    private var openStreams = 0
    private var lastStream = 0

    /// Whether no stream is open.
    var isIdle: Bool { openStreams == 0 }

    /// The client has opened a stream.
    mutating func opened(_ stream: Int) -> Action {
        openStreams += 1
        lastStream = max(lastStream, stream)
        return isStopping ? end() : .nothing
    }

    /// A stream has ended, in whatever way.
    mutating func closed() -> Action {
        openStreams -= 1
        guard openStreams == 0 else { return .nothing }
        switch phase {
        case .open: return .awaitStreams
        case .warned: return .nothing
        case .refusing: return .close
        }
    }

    /// No stream was open for the time that this is allowed.
    mutating func idled() -> Action { openStreams == 0 ? end() : .nothing }

    /// The server is told to stop, but takes requests for a while. A connection ends when it has had one: a client that has just
    /// connected would otherwise have done so in vain.
    mutating func stop() -> Action {
        isStopping = true
        return lastStream > 0 ? end() : .nothing
    }

    /// The connection is to end.
    mutating func end() -> Action {
        guard phase == .open else { return .nothing }
        phase = .warned
        return .warn
    }

    /// The client has read the warning, or was given time enough for it.
    mutating func warned() -> Action {
        guard phase == .warned else { return .nothing }
        phase = .refusing
        return .refuse(after: lastStream, closes: openStreams == 0)
    }
}
