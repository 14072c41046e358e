// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import Synchronization

/// The connections of a server, and how many there may be; see ``ConnectionTable``.
final class ConnectionLimit: Sendable {
    private struct State {
        var table: ConnectionTable
        var lastID = 0
        var channels: [Int: any Channel] = [:]
    }

    private let state: Mutex<State>

    init(_ table: ConnectionTable) {
        state = Mutex(State(table: table))
    }

    /// Connections by grade.
    var counts: (ordinary: Int, reserved: Int) { state.withLock { $0.table.counts } }

    /// The time until there is room for a connection, if it can be told.
    var timeUntilRoom: Duration? { state.withLock { $0.table.timeUntilRoom(at: .now) } }

    /// A place for a new connection, which ends with it. One for which there is no room is closed.
    func open(_ channel: any Channel) -> Slot {
        let (slot, place) = state.withLock { state in
            state.lastID += 1
            let place = state.table.open(state.lastID, at: .now)
            if place.grade != nil { state.channels[state.lastID] = channel }
            return (Slot(id: state.lastID, limit: self), place)
        }
        evict(place.evicted)
        if place.grade == nil {
            channel.close(promise: nil)
        } else {
            channel.closeFuture.whenComplete { [id = slot.id] _ in
                self.state.withLock { state in
                    state.table.close(id, at: .now)
                    state.channels[id] = nil
                }
            }
        }
        return slot
    }

    private func evict(_ id: Int?) {
        guard let id, let channel = state.withLock({ $0.channels[id] }) else { return }
        channel.eventLoop.execute { channel.pipeline.fireUserInboundEventTriggered(ConnectionEviction()) }
    }

    /// One connection's place.
    final class Slot: Sendable {
        fileprivate let id: Int
        private let limit: ConnectionLimit

        fileprivate init(id: Int, limit: ConnectionLimit) {
            (self.id, self.limit) = (id, limit)
        }

        /// Whether only health is answered here.
        var isReserved: Bool { limit.state.withLock { $0.table.grade(of: id) == .reserved } }

        /// A request has come.
        func begins() {
            let place = limit.state.withLock { $0.table.begin(id, at: .now) }
            limit.evict(place.evicted)
        }

        /// It is answered.
        func rests() { limit.state.withLock { $0.table.rest(id, at: .now) } }
    }
}

/// Asks a connection to close if no request is being worked on there, because its place is needed.
struct ConnectionEviction: Sendable {}
