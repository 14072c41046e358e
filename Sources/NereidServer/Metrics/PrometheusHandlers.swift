// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import CoreMetrics
import Synchronization

/// A number that only grows.
final class PrometheusCounter: CounterHandler {
    private let count = Atomic<Int64>(0)

    var value: Int64 { count.load(ordering: .relaxed) }

    func increment(by amount: Int64) { count.wrappingAdd(amount, ordering: .relaxed) }

    func reset() { count.store(0, ordering: .relaxed) }
}

/// A number that goes up and down.
final class PrometheusGauge: MeterHandler, RecorderHandler {
    private let current = Mutex(0.0)

    var value: Double { current.withLock { $0 } }

    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { current.withLock { $0 = value } }
    func increment(by amount: Double) { current.withLock { $0 += amount } }
    func decrement(by amount: Double) { current.withLock { $0 -= amount } }
    func record(_ value: Int64) { set(Double(value)) }
    func record(_ value: Double) { set(value) }
}

/// How often values fell below each of a row of bounds.
final class PrometheusHistogram: TimerHandler, RecorderHandler {
    struct Snapshot: Equatable {
        let bounds: [Double]
        /// Values at or below each bound and above the one before; the last is for those above all bounds.
        var counts: [Int]
        var sum = 0.0
    }

    /// Half a millisecond to a minute: what pictures take from a GPU's best to a deadline.
    static let defaultBounds = [
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
    ]

    private let content: Mutex<Snapshot>

    init(bounds: [Double]) {
        content = Mutex(Snapshot(bounds: bounds, counts: .init(repeating: 0, count: bounds.count + 1)))
    }

    var snapshot: Snapshot { content.withLock { $0 } }

    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }
    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        content.withLock { content in
            content.counts[content.bounds.firstIndex { value <= $0 } ?? content.bounds.count] += 1
            content.sum += value
        }
    }
}
