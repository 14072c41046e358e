// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import CoreMetrics
import Synchronization

/// Collects measurements behind swift-metrics' interface and writes them as Prometheus text.
///
/// Timers and aggregating recorders become histograms in seconds; recorders that do not aggregate, and meters, become gauges.
/// Format: Prometheus' "Text-based format", version 0.0.4.
final class PrometheusRegistry: MetricsFactory {
    /// A metric is one name with one set of labels.
    private struct Key: Hashable {
        let name: String
        let labels: [Label]
    }

    struct Label: Hashable, Comparable {
        let name: String
        let value: String

        static func < (left: Label, right: Label) -> Bool { (left.name, left.value) < (right.name, right.value) }
    }

    private struct Content {
        var counters: [Key: PrometheusCounter] = [:]
        var gauges: [Key: PrometheusGauge] = [:]
        var histograms: [Key: PrometheusHistogram] = [:]
    }

    private let content = Mutex(Content())
    private let help: [String: String]
    private let buckets: [Double]

    /// Makes a registry.
    ///
    /// - Parameters:
    ///   - help: what each metric means, by name.
    ///   - buckets: upper bounds of histograms in seconds.
    init(help: [String: String] = [:], buckets: [Double] = PrometheusHistogram.defaultBounds) {
        self.help = help
        self.buckets = buckets
    }

    func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        content.withLock { $0.counters.value(at: Self.key(label, dimensions), orNew: PrometheusCounter()) }
    }

    func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        gauge(label, dimensions)
    }

    func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        aggregate ? histogram(label, dimensions) : gauge(label, dimensions)
    }

    func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        histogram(label, dimensions)
    }

    private func gauge(_ label: String, _ dimensions: [(String, String)]) -> PrometheusGauge {
        content.withLock { $0.gauges.value(at: Self.key(label, dimensions), orNew: PrometheusGauge()) }
    }

    private func histogram(_ label: String, _ dimensions: [(String, String)]) -> PrometheusHistogram {
        content.withLock {
            $0.histograms.value(at: Self.key(label, dimensions), orNew: PrometheusHistogram(bounds: buckets))
        }
    }

    // Metrics live as long as the registry: a counter that began anew would look like a restart.
    func destroyCounter(_ handler: any CounterHandler) {}
    func destroyMeter(_ handler: any MeterHandler) {}
    func destroyRecorder(_ handler: any RecorderHandler) {}
    func destroyTimer(_ handler: any TimerHandler) {}

    /// Everything measured so far, ordered by name and labels.
    var text: String {
        let content = content.withLock { $0 }
        var writer = PrometheusWriter(help: help)
        for (key, counter) in content.counters.sorted(by: Self.areInOrder) {
            writer.write(key.name, kind: "counter", labels: key.labels, value: "\(counter.value)")
        }
        for (key, gauge) in content.gauges.sorted(by: Self.areInOrder) {
            writer.write(key.name, kind: "gauge", labels: key.labels, value: PrometheusWriter.number(gauge.value))
        }
        for (key, histogram) in content.histograms.sorted(by: Self.areInOrder) {
            writer.write(key.name, labels: key.labels, histogram: histogram.snapshot)
        }
        return writer.text
    }

    private static func key(_ label: String, _ dimensions: [(String, String)]) -> Key {
        Key(name: label, labels: dimensions.map(Label.init).sorted())
    }

    private static func areInOrder<Value>(_ left: (key: Key, value: Value), _ right: (key: Key, value: Value)) -> Bool {
        left.key.name != right.key.name
            ? left.key.name < right.key.name : left.key.labels.lexicographicallyPrecedes(right.key.labels)
    }
}

extension Dictionary {
    /// The value that is there, or a new one that is there from now on.
    fileprivate mutating func value(at key: Key, orNew make: @autoclosure () -> Value) -> Value {
        if let value = self[key] { return value }
        let value = make()
        self[key] = value
        return value
    }
}
