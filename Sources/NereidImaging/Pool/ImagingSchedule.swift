// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// The rules by which waiting work gets a thread and memory, as a value: events go in, what to begin comes out.
///
/// Work waits in lines, one for each share (a model, or a model's bulk jobs), and the lines take turns, so that a share with
/// much work does not keep the others waiting. Work that waits for memory has lines of its own: what would give memory back must
/// not wait behind it. Large pictures have lines of their own too, and at most half of the threads.
///
/// `Work` is whatever stands for a piece of work.
struct ImagingSchedule<Work> {
    /// What a piece of work needs before it can begin.
    struct Claim: Equatable, Sendable {
        /// Whose turn it takes.
        var share: String
        /// Whether it keeps its thread for long or needs much memory.
        var isLarge = false
        /// The memory that it takes from the budget when it begins.
        var bytes = 0

        fileprivate var kind: Kind { isLarge ? .large : bytes > 0 ? .small : .plain }
    }

    /// What a line's work waits for: a thread, memory too, or a thread for large pictures and memory.
    fileprivate enum Kind {
        case plain, small, large
    }

    private struct Waiting {
        let number: UInt64
        let claim: Claim
        let work: Work
    }

    /// Work of one share, in the order in which it came.
    private struct Line {
        let share: String
        let kind: Kind
        var works: [Waiting]
    }

    private let threads: Int
    /// The most large pictures that are decoded at one time.
    let mostLarge: Int
    private(set) var budget: DecodingBudget
    /// The line that was served longest ago is first.
    private var lines: [Line] = []
    private var running: [UInt64: (claim: Claim, work: Work)] = [:]
    private var runningLarge = 0
    private var isClosed = false

    init(threads: Int, memory: Int) {
        self.threads = threads
        mostLarge = max(threads / 2, 1)
        budget = DecodingBudget(limit: memory)
    }

    var runningCount: Int { running.count }
    var waitingCount: Int { lines.reduce(0) { $0 + $1.works.count } }
    /// Whether nothing runs, waits or holds memory.
    var isIdle: Bool { running.isEmpty && lines.isEmpty && budget.used == 0 }
    /// Work that has begun and not ended.
    var runningWorks: [Work] { running.values.map(\.work) }

    /// Work has come; `nil` when none is taken any more.
    ///
    /// - Returns: what begins now.
    mutating func add(_ number: UInt64, _ claim: Claim, _ work: Work) -> [Work]? {
        guard !isClosed else { return nil }
        let waiting = Waiting(number: number, claim: claim, work: work)
        if let place = lines.firstIndex(where: { $0.share == claim.share && $0.kind == claim.kind }) {
            lines[place].works.append(waiting)
        } else {
            lines.append(Line(share: claim.share, kind: claim.kind, works: [waiting]))
        }
        return begun()
    }

    /// Work has ended. Its memory stays taken until it is given back.
    mutating func finish(_ number: UInt64) -> [Work] {
        if let (claim, _) = running.removeValue(forKey: number), claim.isLarge { runningLarge -= 1 }
        return begun()
    }

    /// Nobody waits for work any more.
    ///
    /// - Returns: the work, if it had not begun, and what begins in its place.
    mutating func withdraw(_ number: UInt64) -> (withdrawn: Work?, begun: [Work]) {
        for place in lines.indices {
            guard let index = lines[place].works.firstIndex(where: { $0.number == number }) else { continue }
            let waiting = lines[place].works.remove(at: index)
            if lines[place].works.isEmpty { lines.remove(at: place) }
            // A large picture that has gone no longer keeps small ones within their reserve.
            return (waiting.work, begun())
        }
        return (nil, [])
    }

    /// Running work finds out what it needs, and goes on at once if there is room: it does not go before others that wait.
    mutating func extend(_ number: UInt64, isLarge: Bool, bytes: Int) -> Bool {
        guard let (claim, work) = running[number], !claim.isLarge, claim.bytes == 0 else { return false }
        guard !isLarge || runningLarge < mostLarge else { return false }
        let isOvertaking = lines.contains { $0.kind == (isLarge ? .large : .small) }
        guard !isOvertaking, budget.fits(bytes, isLarge: isLarge, largeWaits: largeWaits) else { return false }
        running[number] = (Claim(share: claim.share, isLarge: isLarge, bytes: bytes), work)
        if isLarge { runningLarge += 1 }
        budget.take(bytes, isLarge: isLarge)
        return true
    }

    /// Memory is free again.
    mutating func giveBack(_ bytes: Int, isLarge: Bool) -> [Work] {
        budget.giveBack(bytes, isLarge: isLarge)
        return begun()
    }

    /// Takes no more work.
    ///
    /// - Returns: the work that has not begun.
    mutating func close() -> [Work] {
        isClosed = true
        defer { lines = [] }
        return lines.flatMap { $0.works.map(\.work) }
    }

    private var largeWaits: Bool { lines.contains { $0.kind == .large } }

    /// Begins what can begin.
    private mutating func begun() -> [Work] {
        var begun: [Work] = []
        while running.count < threads, let place = nextLine() {
            var line = lines.remove(at: place)
            let first = line.works.removeFirst()
            if !line.works.isEmpty { lines.append(line) }
            running[first.number] = (first.claim, first.work)
            if first.claim.isLarge { runningLarge += 1 }
            budget.take(first.claim.bytes, isLarge: first.claim.isLarge)
            begun.append(first.work)
        }
        return begun
    }

    /// The line whose turn it is, of those whose first work can begin.
    private func nextLine() -> Int? {
        let largeWaits = largeWaits
        // The largest picture would wait for ever if smaller large ones went before it.
        var mayBeLarge = runningLarge < mostLarge
        for (place, line) in lines.enumerated() {
            guard let claim = line.works.first?.claim, mayBeLarge || !claim.isLarge else { continue }
            if claim.bytes == 0 || budget.fits(claim.bytes, isLarge: claim.isLarge, largeWaits: largeWaits) {
                return place
            }
            if claim.isLarge { mayBeLarge = false }
        }
        return nil
    }
}
