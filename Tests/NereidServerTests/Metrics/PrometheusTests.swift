// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import CoreMetrics
import HTTPTypes
import NereidImaging
import Testing

@testable import NereidModels
@testable import NereidServer

@Suite("Metrics for Prometheus")
struct PrometheusTests {
    @Test("are counters, gauges and histograms with help")
    func kinds() throws {
        let registry = PrometheusRegistry(help: ["a_total": "What a is."], buckets: [0.5, 1])
        Counter(label: "a_total", dimensions: [("z", "1"), ("b", "2")], factory: registry).increment(by: 3)
        Counter(label: "a_total", dimensions: [("b", "2"), ("z", "1")], factory: registry).increment()
        Counter(label: "a_total", factory: registry).increment()
        Meter(label: "b", factory: registry).set(2.5)
        Gauge(label: "c", factory: registry).record(7)
        Timer(label: "d_seconds", factory: registry).recordMilliseconds(750)
        #expect(
            registry.text == """
                # HELP a_total What a is.
                # TYPE a_total counter
                a_total 1
                a_total{b="2",z="1"} 4
                # TYPE b gauge
                b 2.5
                # TYPE c gauge
                c 7
                # TYPE d_seconds histogram
                d_seconds_bucket{le="0.5"} 0
                d_seconds_bucket{le="1"} 1
                d_seconds_bucket{le="+Inf"} 1
                d_seconds_sum 0.75
                d_seconds_count 1

                """
        )
        let kinds = try PrometheusText(registry.text).kinds
        #expect(kinds == ["a_total": "counter", "b": "gauge", "c": "gauge", "d_seconds": "histogram"])
        #expect(PrometheusRegistry().text.isEmpty)
    }

    @Test(
        "escape what labels may hold",
        arguments: ["plain", "a\"b", "a\\b", "a\nb", "a\r\nb", "\\n", "海鼠", "a\"\u{301}", "}, x=\"1", ""]
    )
    func escaping(value: String) throws {
        let registry = PrometheusRegistry()
        Counter(label: "a_total", dimensions: [("model", value)], factory: registry).increment()
        let read = try PrometheusText(registry.text)
        #expect(read.samples.count == 1)
        #expect(read.samples.first?.labels["model"].map { Array($0.unicodeScalars) } == Array(value.unicodeScalars))
    }

    @Test("count up in a histogram's buckets, a value at a bound within it")
    func buckets() throws {
        let histogram = PrometheusHistogram(bounds: [1, 2, 4])
        for value in [0, 1, 1.5, 2, 3, 4, 4.5, 100] { histogram.record(value) }
        #expect(histogram.snapshot.counts == [2, 2, 2, 2])
        var writer = PrometheusWriter(help: [:])
        writer.write("x", labels: [.init(name: "model", value: "reef")], histogram: histogram.snapshot)
        let read = try PrometheusText(writer.text)
        let cumulative = ["1", "2", "4", "+Inf"].map { read.value("x_bucket", ["model": "reef", "le": $0]) }
        #expect(cumulative == [2, 4, 6, 8])
        #expect(read.value("x_sum", ["model": "reef"]) == 116)
        #expect(read.value("x_count", ["model": "reef"]) == 8)
    }

    @Test("write numbers that can be read", arguments: [0, 5, -3, 0.25, 1e-7, 1e15, 123_456_789_012, 0.1 + 0.2])
    func numbers(value: Double) {
        #expect(Double(PrometheusWriter.number(value)) == value)
    }

    @Test("count a request by endpoint, status, model and outcome")
    func requests() throws {
        let metrics = ServerMetrics()
        var record = RequestRecord.Content()
        metrics.count(record, status: .ok, whole: .milliseconds(2), endpoint: "/health/live")
        record.model = "reef"
        record.problem = .queueFull
        metrics.count(record, status: .serviceUnavailable, whole: .milliseconds(2), endpoint: nil)
        let queue = StubQueue { _ in throw CancellationError() }
        let uploads = UploadMemory(limit: 10)
        let share = uploads.share()
        try share.grow(by: 7)
        let read = try PrometheusText(
            metrics.text(
                models: [],
                load: queue.load,
                uploads: uploads,
                imaging: ImagingLoad(running: 1, waiting: 2, bytes: 3, mostBytes: 4)
            )
        )
        #expect(read.value("nereid_requests_total", ["endpoint": "/health/live", "status": "200"]) == 1)
        #expect(read.value("nereid_requests_total", ["endpoint": "other", "status": "503"]) == 1)
        #expect(read.value("nereid_refusals_total", ["reason": "queue_full"]) == 1)
        #expect(read.value("nereid_predictions_total", ["model": "reef", "outcome": "queue_full"]) == 1)
        #expect(read.value("nereid_upload_bytes") == 7)
        #expect(read.value("nereid_decode_running") == 1)
        #expect(read.value("nereid_decode_waiting") == 2)
        #expect(read.value("nereid_decode_bytes") == 3)
        #expect(read.value("nereid_decode_bytes_limit") == 4)
        #expect(read.kinds.keys.allSatisfy { read.help[$0] != nil }, "every metric says what it is")
    }
}
