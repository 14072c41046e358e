// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidJobs

/// The rules of how many connections there may be, as a value.
///
/// Up to a limit connections are ordinary. When there are as many, a connection without a request gives way to a new one; if
/// every one has a request, the new one is reserved: a few connections beyond the limit on which only health is answered, so
/// that a server which is busy is not taken for one that is dead. A reserved connection without a request gives way too.
struct ConnectionTable {
    /// What may be asked on a connection.
    enum Grade: Equatable, Sendable {
        case ordinary
        case reserved
    }

    /// What becomes of a connection that is new, or that has a request.
    struct Place: Equatable {
        /// `nil`: there is no room at all, and the connection is to be closed.
        var grade: Grade?
        /// A connection that is to be closed for it, unless a request has come there meanwhile.
        var evicted: Int?
    }

    private struct Entry {
        var grade: Grade
        /// Since when it is without a request; `nil`: it has one.
        var idleSince: ContinuousClock.Instant?
        /// Whether it was told to close; it does not count any more.
        var isLeaving = false
    }

    /// The most ordinary connections.
    let limit: Int
    /// The most reserved ones.
    let reserve: Int
    /// How long an ordinary connection must have been without a request before it gives way: its client may just be sending one.
    let patience: Duration

    private var entries: [Int: Entry] = [:]
    private var ordinary = 0
    private var reserved = 0
    private var releases = CompletionRate()

    /// - Parameters:
    ///   - limit: the most ordinary connections.
    ///   - reserve: the most connections beyond them.
    init(limit: Int, reserve: Int = 16, patience: Duration = .seconds(1)) {
        (self.limit, self.reserve, self.patience) = (limit, reserve, patience)
    }

    /// Connections by grade.
    var counts: (ordinary: Int, reserved: Int) { (ordinary, reserved) }

    /// A connection is new.
    mutating func open(_ id: Int, at now: ContinuousClock.Instant) -> Place {
        if let place = ordinaryPlace(at: now) {
            insert(id, .ordinary, idleSince: now)
            return place
        }
        if reserved < reserve {
            insert(id, .reserved, idleSince: now)
            return Place(grade: .reserved)
        }
        guard let evicted = longestIdle(.reserved, before: now) else { return Place(grade: nil) }
        leave(evicted)
        insert(id, .reserved, idleSince: now)
        return Place(grade: .reserved, evicted: evicted)
    }

    /// A request has come. A reserved connection becomes ordinary if there is room now.
    mutating func begin(_ id: Int, at now: ContinuousClock.Instant) -> Place {
        guard var entry = entries[id] else { return Place(grade: nil) }
        var place = Place(grade: entry.grade)
        if entry.isLeaving {
            // The request was faster than the news.
            entry.isLeaving = false
            count(entry.grade, by: 1)
        }
        entry.idleSince = nil
        entries[id] = entry
        if entry.grade == .reserved, let better = ordinaryPlace(at: now) {
            place = better
            count(.reserved, by: -1)
            count(.ordinary, by: 1)
            entries[id]?.grade = .ordinary
        }
        return place
    }

    /// Its request is answered.
    mutating func rest(_ id: Int, at now: ContinuousClock.Instant) {
        guard let entry = entries[id] else { return }
        entries[id]?.idleSince = now
        if entry.grade == .ordinary { releases.completed(at: now) }
    }

    /// A connection is closed.
    mutating func close(_ id: Int, at now: ContinuousClock.Instant) {
        guard let entry = entries.removeValue(forKey: id) else { return }
        if !entry.isLeaving { count(entry.grade, by: -1) }
        if entry.grade == .ordinary, entry.idleSince == nil { releases.completed(at: now) }
    }

    /// What may be asked on a connection.
    func grade(of id: Int) -> Grade { entries[id]?.grade ?? .ordinary }

    /// The time until an ordinary connection is free, from how often that happened lately; `nil`: it is not known.
    func timeUntilRoom(at now: ContinuousClock.Instant) -> Duration? { releases.time(for: 1, at: now) }

    /// A place among the ordinary connections; `nil` if there is none.
    private mutating func ordinaryPlace(at now: ContinuousClock.Instant) -> Place? {
        if ordinary < limit { return Place(grade: .ordinary) }
        releases.begins(at: now)
        guard let evicted = longestIdle(.ordinary, before: now - patience) else { return nil }
        leave(evicted)
        return Place(grade: .ordinary, evicted: evicted)
    }

    private func longestIdle(_ grade: Grade, before latest: ContinuousClock.Instant) -> Int? {
        var longest: (id: Int, since: ContinuousClock.Instant)?
        for (id, entry) in entries where entry.grade == grade && !entry.isLeaving {
            guard let since = entry.idleSince, since <= latest else { continue }
            if let known = longest, (known.since, known.id) <= (since, id) { continue }
            longest = (id, since)
        }
        return longest?.id
    }

    private mutating func leave(_ id: Int) {
        guard let entry = entries[id] else { return }
        entries[id]?.isLeaving = true
        count(entry.grade, by: -1)
    }

    private mutating func insert(_ id: Int, _ grade: Grade, idleSince: ContinuousClock.Instant) {
        entries[id] = Entry(grade: grade, idleSince: idleSince)
        count(grade, by: 1)
    }

    private mutating func count(_ grade: Grade, by difference: Int) {
        switch grade {
        case .ordinary: ordinary += difference
        case .reserved: reserved += difference
        }
    }
}
