// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension ServerConfiguration {
    /// The most sockets of clients at one time: some more than connections, since those that give way take a moment to close.
    var mostSockets: Int { maxConnections + 64 }
}
