// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Writes Prometheus' text format. Metrics of one name must come one after another.
struct PrometheusWriter {
    private(set) var text = ""
    private let help: [String: String]
    private var lastName = ""

    init(help: [String: String]) {
        self.help = help
    }

    mutating func write(_ name: String, kind: String, labels: [PrometheusRegistry.Label], value: String) {
        begin(name, kind: kind)
        text += "\(name)\(Self.written(labels)) \(value)\n"
    }

    mutating func write(
        _ name: String,
        labels: [PrometheusRegistry.Label],
        histogram: PrometheusHistogram.Snapshot
    ) {
        begin(name, kind: "histogram")
        var total = 0
        for (bound, count) in zip(histogram.bounds.map(Self.number) + ["+Inf"], histogram.counts) {
            total += count
            text += "\(name)_bucket\(Self.written(labels + [.init(name: "le", value: bound)])) \(total)\n"
        }
        text += "\(name)_sum\(Self.written(labels)) \(Self.number(histogram.sum))\n"
        text += "\(name)_count\(Self.written(labels)) \(total)\n"
    }

    private mutating func begin(_ name: String, kind: String) {
        guard name != lastName else { return }
        lastName = name
        if let help = help[name] { text += "# HELP \(name) \(help)\n" }
        text += "# TYPE \(name) \(kind)\n"
    }

    private static func written(_ labels: [PrometheusRegistry.Label]) -> String {
        guard !labels.isEmpty else { return "" }
        return "{\(labels.map { "\($0.name)=\"\(escaped($0.value))\"" }.joined(separator: ","))}"
    }

    /// A label's value with the three characters escaped that the format asks for.
    static func escaped(_ value: String) -> String {
        var result = ""
        // By scalars: as a character, a quotation mark with an accent on it is none.
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// A number without a needless fraction: `5`, `0.25`.
    static func number(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? "\(Int64(value))" : "\(value)"
    }
}
