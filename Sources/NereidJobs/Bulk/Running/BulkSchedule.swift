// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import DequeModule

/// Whose turn it is, as a value: jobs go in, pictures come out, each job one in turn.
///
/// A picture that had been begun when a process ended is a suspect: it may have been what ended it. Suspects are run alone, so
/// that if the process ends again it is known whose doing that was, and no other picture is blamed with it.
struct BulkSchedule {
    /// A picture's place.
    struct Place: Hashable, Sendable {
        /// The job's number.
        var job: Int64
        /// The picture's place in its order.
        var position: Int
    }

    private struct Line {
        let model: String
        var fresh: Deque<Int>
        var suspects: Deque<Int>
    }

    private struct Run {
        let model: String
        let isSuspect: Bool
    }

    private var lines: [Int64: Line] = [:]
    /// The jobs with pictures that wait; the next one whose turn it is comes first.
    private var turns: Deque<Int64> = []
    private var running: [Place: Run] = [:]

    /// How many pictures run.
    var runningCount: Int { running.count }

    /// The models that pictures wait for.
    var models: Set<String> { Set(lines.values.map(\.model)) }

    /// Whether a job has pictures that wait or run.
    func knows(_ job: Int64) -> Bool { lines[job] != nil || running.keys.contains { $0.job == job } }

    /// A job has come. One that is known already stays as it is.
    mutating func add(_ job: Int64, model: String, fresh: [Int], suspects: [Int] = []) {
        guard lines[job] == nil, !(fresh.isEmpty && suspects.isEmpty) else { return }
        lines[job] = Line(model: model, fresh: Deque(fresh), suspects: Deque(suspects))
        turns.append(job)
    }

    /// A job is gone.
    ///
    /// - Returns: those of its pictures that run.
    mutating func remove(_ job: Int64) -> [Place] {
        lines[job] = nil
        turns.removeAll { $0 == job }
        return running.keys.filter { $0.job == job }
    }

    /// The next picture to be begun, which runs from now on; `nil` when none can be.
    ///
    /// - Parameter window: how many pictures of a model may run at once; 0: the model can't be used at this moment.
    mutating func next(window: (String) -> Int) -> Place? {
        // Nothing beside a suspect that runs.
        if running.values.contains(where: \.isSuspect) { return nil }
        var windows: [String: Int] = [:]
        for line in lines.values where windows[line.model] == nil { windows[line.model] = window(line.model) }
        if let job = turns.first(where: {
            lines[$0].map { !$0.suspects.isEmpty && windows[$0.model, default: 0] > 0 } ?? false
        }) {
            // It waits until it is alone, and nothing is begun before it.
            return running.isEmpty ? take(from: job) : nil
        }
        for run in running.values { windows[run.model]? -= 1 }
        let job = turns.first { lines[$0].map { !$0.fresh.isEmpty && windows[$0.model, default: 0] > 0 } ?? false }
        return job.flatMap { take(from: $0) }
    }

    private mutating func take(from job: Int64) -> Place? {
        guard var line = lines[job] else { return nil }
        let isSuspect = !line.suspects.isEmpty
        guard let position = line.suspects.popFirst() ?? line.fresh.popFirst() else { return nil }
        turns.removeAll { $0 == job }
        if line.fresh.isEmpty && line.suspects.isEmpty {
            lines[job] = nil
        } else {
            lines[job] = line
            turns.append(job)
        }
        let place = Place(job: job, position: position)
        running[place] = Run(model: line.model, isSuspect: isSuspect)
        return place
    }

    /// A picture has its answer, or its job is gone.
    mutating func finish(_ place: Place) {
        running[place] = nil
    }

    /// A picture that ran is to be run again, before the others of its job, which must not be gone.
    mutating func putBack(_ place: Place) {
        guard let run = running.removeValue(forKey: place) else { return }
        if lines[place.job] == nil {
            lines[place.job] = Line(model: run.model, fresh: [], suspects: [])
            turns.append(place.job)
        }
        if run.isSuspect {
            lines[place.job]?.suspects.prepend(place.position)
        } else {
            lines[place.job]?.fresh.prepend(place.position)
        }
    }
}
