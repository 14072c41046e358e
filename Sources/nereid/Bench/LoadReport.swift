// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation

/// What a load has shown.
struct LoadReport: Encodable, Equatable {
    /// Requests that ended well, a second.
    let throughput: Double
    /// Requests by how they ended.
    let outcomes: [String: Int]
    /// Of the requests that ended well; `nil` when none did.
    let latency: Latency?
    /// Seconds measured.
    let seconds: Double
    /// Processor time that this process spent for each request that ended well, in milliseconds: the model's own when it
    /// runs here, the client's when a server is asked.
    let processorTime: Double?

    enum CodingKeys: String, CodingKey {
        case outcomes, seconds
        case throughput = "requests_per_second"
        case latency = "latency_ms"
        case processorTime = "cpu_ms_per_request"
    }

    /// Milliseconds.
    struct Latency: Encodable, Equatable {
        let mean: Double
        let p50: Double
        let p90: Double
        let p95: Double
        let p99: Double
        let max: Double
    }

    init(_ samples: [(latency: Duration, outcome: String)], over duration: Duration, processorTime used: Duration) {
        seconds = duration / .seconds(1)
        outcomes = Dictionary(grouping: samples, by: \.outcome).mapValues(\.count)
        let sorted = samples.filter { $0.outcome == "ok" }.map { $0.latency / .milliseconds(1) }.sorted()
        throughput = Self.rounded(Double(sorted.count) / seconds)
        processorTime =
            sorted.isEmpty ? nil : Self.rounded(used / .milliseconds(1) / Double(sorted.count))
        guard let last = sorted.last else {
            latency = nil
            return
        }
        /// The value that so many of a hundred are at or below (nearest rank).
        func percentile(_ share: Double) -> Double {
            let rank = Int((share / 100 * Double(sorted.count)).rounded(.up))
            return Self.rounded(sorted[min(max(rank, 1), sorted.count) - 1])
        }
        latency = Latency(
            mean: Self.rounded(sorted.reduce(0, +) / Double(sorted.count)),
            p50: percentile(50),
            p90: percentile(90),
            p95: percentile(95),
            p99: percentile(99),
            max: Self.rounded(last)
        )
    }

    private static func rounded(_ value: Double) -> Double { (value * 100).rounded() / 100 }

    /// For people.
    var text: String {
        var lines = ["\(throughput) requests/s over \(seconds) s"]
        if let latency {
            lines.append(
                "latency ms   mean \(latency.mean)   p50 \(latency.p50)   p90 \(latency.p90)   "
                    + "p95 \(latency.p95)   p99 \(latency.p99)   max \(latency.max)"
            )
        }
        if let processorTime { lines.append("processor time of this process \(processorTime) ms a request") }
        lines += outcomes.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
        return lines.joined(separator: "\n")
    }

    /// For programs.
    var json: String {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
            return String(decoding: try encoder.encode(self), as: UTF8.self)
        }
    }
}
