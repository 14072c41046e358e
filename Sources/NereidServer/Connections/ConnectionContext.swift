// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import NereidJobs

/// What all connections of a server have in common.
struct ConnectionContext: Sendable {
    /// The server is told to stop.
    let stopping: Occasion
    /// How many connections there may be.
    let limit: ConnectionLimit
    /// How long a connection may wait for its client.
    let idleTimeout: Duration

    /// Takes a connection in.
    func open(_ channel: any Channel) -> ClientConnection {
        ClientConnection(channel, stopping: stopping, slot: limit.open(channel))
    }
}
