// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import NereidJobs
import Synchronization

/// What is known of the connection on which a request came.
final class ClientConnection: Sendable {
    /// The connection of the request that is being answered; `nil` outside of one.
    @TaskLocal static var current: ClientConnection?

    /// What is known of the request that is being answered on a connection of HTTP/1.
    struct Request: Sendable {
        var isHTTP10 = false
        var host = HostClaim()
    }

    /// The end of the client's interest.
    let leaving = Occasion()
    /// The server is told to stop.
    let stopping: Occasion
    /// The address that the client has connected to.
    let address: IPAddress?
    /// Whether only this machine can connect to where the connection was accepted.
    let isForThisMachine: Bool

    private let slot: ConnectionLimit.Slot?
    private let current = Mutex<Request?>(nil)

    init(_ channel: any Channel, stopping: Occasion, slot: ConnectionLimit.Slot?) {
        self.stopping = stopping
        self.slot = slot
        address = channel.localAddress.flatMap(IPAddress.init)
        isForThisMachine = channel.parent?.localAddress.flatMap(IPAddress.init)?.isLoopback ?? false
    }

    /// Whether only health is answered here, as there are as many connections as there may be.
    var isReserved: Bool { slot?.isReserved ?? false }

    /// The request that is being answered, on a connection of HTTP/1.
    var request: Request { current.withLock { $0 } ?? Request() }

    /// The host that the request being answered names, on a connection of HTTP/1; `nil` in HTTP/2, where the head has it.
    var hostClaim: HostClaim? { current.withLock { $0?.host } }

    /// A request of HTTP/1 has come.
    func begins(_ request: Request) {
        current.withLock { $0 = request }
        slot?.begins()
    }

    /// The first of several requests beside each other has come.
    func begins() { slot?.begins() }

    /// What has come is answered.
    func rests() { slot?.rests() }
}

extension IPAddress {
    /// The address of a socket; of one of IPv6 that stands for one of IPv4 (RFC 4291, 2.5.5.2), that one.
    init?(_ address: SocketAddress) {
        guard let text = address.ipAddress, let parsed = IPAddress(text) else { return nil }
        self = parsed.unmapped
    }

    /// Of an address of IPv6 that stands for one of IPv4, that one.
    var unmapped: IPAddress {
        guard case .v6(let number) = self, number >> 32 == 0xFFFF else { return self }
        return .v4(UInt32(truncatingIfNeeded: number))
    }

    /// Whether it leads to the machine itself.
    var isLoopback: Bool {
        switch unmapped {
        case .v4(let number): number >> 24 == 127
        case .v6(let number): number == 1
        }
    }
}
