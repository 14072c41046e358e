// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Something that answers one request at a time from each of many callers.
protocol LoadTarget: Sendable {
    /// Sends request number `index` and waits for its answer; says how it ended in a word or two: `ok`, `503`, `timed out`.
    func request(_ index: Int) async -> String
}

/// Puts a target under load and takes the time of every request.
struct LoadGenerator {
    enum Load {
        /// So many requests are always under way.
        case concurrency(Int)
        /// Requests start at fixed times.
        case rate(perSecond: Double)
    }

    let load: Load
    let warmUp: Duration
    let duration: Duration

    private struct Sample: Sendable {
        let latency: Duration
        let outcome: String
    }

    func run(on target: any LoadTarget) async throws -> LoadReport {
        let clock = ContinuousClock()
        let begin = clock.now + warmUp
        let end = begin + duration
        let cpu = Task {
            try await Task.sleep(until: begin, clock: .continuous)
            let before = ProcessorTime.used
            try await Task.sleep(until: end, clock: .continuous)
            return ProcessorTime.used - before
        }
        let samples: [Sample]
        switch load {
        case .concurrency(let callers): samples = await closed(target, callers: callers, begin: begin, end: end)
        case .rate(let perSecond): samples = try await open(target, perSecond: perSecond, begin: begin, end: end)
        }
        return LoadReport(samples.map { ($0.latency, $0.outcome) }, over: duration, processorTime: try await cpu.value)
    }

    /// Each caller sends its next request when the last one is answered. What ends within the time is counted.
    private func closed(
        _ target: any LoadTarget,
        callers: Int,
        begin: ContinuousClock.Instant,
        end: ContinuousClock.Instant
    ) async -> [Sample] {
        await withTaskGroup(of: [Sample].self) { group in
            for caller in 0..<callers {
                group.addTask {
                    var samples: [Sample] = []
                    var index = caller
                    while ContinuousClock.now < end {
                        let sent = ContinuousClock.now
                        let outcome = await target.request(index)
                        let answered = ContinuousClock.now
                        if answered >= begin, answered < end {
                            samples.append(Sample(latency: answered - sent, outcome: outcome))
                        }
                        index += callers
                    }
                    return samples
                }
            }
            return await group.reduce(into: []) { $0 += $1 }
        }
    }

    /// Requests start when they are due; a slow answer delays none of them and hides in none of their latencies.
    private func open(
        _ target: any LoadTarget,
        perSecond: Double,
        begin: ContinuousClock.Instant,
        end: ContinuousClock.Instant
    ) async throws -> [Sample] {
        try await withThrowingTaskGroup(of: Sample?.self) { group in
            var due = begin - warmUp
            var index = 0
            while due < end {
                try await Task.sleep(until: due, clock: .continuous)
                group.addTask { [due, index] in
                    let outcome = await target.request(index)
                    return due >= begin ? Sample(latency: ContinuousClock.now - due, outcome: outcome) : nil
                }
                due += .seconds(1 / perSecond)
                index += 1
            }
            return try await group.reduce(into: []) { samples, sample in
                if let sample { samples.append(sample) }
            }
        }
    }
}
