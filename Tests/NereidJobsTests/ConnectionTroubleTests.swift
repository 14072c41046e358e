// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NIOCore
import NIOPosix
import NereidJobs
import Testing

@Suite("Trouble with connections")
struct ConnectionTroubleTests {
    private struct Unforeseen: Error, CustomStringConvertible {
        var description: String { "a whale" }
    }

    @Test("is told by what happened")
    func kinds() {
        let samples: [(any Error, ConnectionTrouble)] = [
            (IOError(errnoCode: ECONNREFUSED, reason: "connect"), .refused),
            (IOError(errnoCode: ETIMEDOUT, reason: "connect"), .timedOut),
            (IOError(errnoCode: ECONNRESET, reason: "read"), .closed),
            (IOError(errnoCode: EPIPE, reason: "write"), .closed),
            (IOError(errnoCode: EHOSTUNREACH, reason: "connect"), .unreachable(reason: "No route to host")),
            (ChannelError.connectTimeout(.seconds(1)), .timedOut), (ChannelError.eof, .closed),
            (ConnectionTrouble.refused, .refused), (Unforeseen(), .other("a whale")),
        ]
        for (error, expected) in samples {
            let trouble = ConnectionTrouble(error)
            #expect(trouble == expected, "\(error)")
            #expect(!trouble.description.contains("errno"))
        }
    }

    @Test("names a connection that is refused, whatever the network library wraps it in")
    func refused() async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let listener = try await ServerBootstrap(group: group).bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(listener.localAddress?.port)
        try await listener.close().get()
        do {
            let channel = try await ClientBootstrap(group: group).connect(host: "127.0.0.1", port: port).get()
            try await channel.close().get()
            Issue.record("somebody listens at the port that was let go")
        } catch {
            let trouble = ConnectionTrouble(error)
            #expect(trouble == .refused)
            #expect(trouble.description == "the connection was refused, nothing listens there")
        }
    }
}
