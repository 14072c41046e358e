// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// A reader of Prometheus' text format that accepts nothing else.
struct PrometheusText {
    struct Sample: Equatable {
        let name: String
        let labels: [String: String]
        let value: Double
    }

    struct Malformed: Error {
        let line: Substring
    }

    private(set) var samples: [Sample] = []
    private(set) var kinds: [String: String] = [:]
    private(set) var help: [String: String] = [:]

    init(_ text: String) throws {
        guard text.isEmpty || text.hasSuffix("\n") else { throw Malformed(line: text.suffix(40)) }
        var family = ""
        var finished: Set<String> = []
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ", maxSplits: 3).map(String.init)
            if words.first == "#" {
                guard words.count == 4, Self.isName(words[2]) else { throw Malformed(line: line) }
                // A family comes once, in one piece.
                if words[2] != family { finished.insert(family) }
                family = words[2]
                guard !finished.contains(family) else { throw Malformed(line: line) }
                switch words[1] {
                case "HELP": help[family] = words[3]
                case "TYPE" where kinds[family] == nil: kinds[family] = words[3]
                default: throw Malformed(line: line)
                }
            } else {
                let sample = try Self.sample(line)
                let suffixes = kinds[family] == "histogram" ? ["_bucket", "_sum", "_count"] : [""]
                guard suffixes.contains(where: { sample.name == family + $0 }) else { throw Malformed(line: line) }
                samples.append(sample)
            }
        }
    }

    /// The value of the sample with exactly these labels.
    func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
        samples.first { $0.name == name && $0.labels == labels }?.value
    }

    private static func sample(_ line: Substring) throws -> Sample {
        var rest = Array(line.unicodeScalars)[...]
        func text(_ scalars: ArraySlice<Unicode.Scalar>) -> String { String(String.UnicodeScalarView(scalars)) }
        let name = rest.prefix { $0 != "{" && $0 != " " }
        rest = rest[name.endIndex...]
        var labels: [String: String] = [:]
        if rest.first == "{" {
            repeat {
                rest.removeFirst()
                let label = rest.prefix { $0 != "=" }
                rest = rest[label.endIndex...].dropFirst()
                guard isName(text(label)), rest.popFirst() == "\"" else { throw Malformed(line: line) }
                var value: [Unicode.Scalar] = []
                while let scalar = rest.popFirst(), scalar != "\"" {
                    guard scalar == "\\" else {
                        value.append(scalar)
                        continue
                    }
                    switch rest.popFirst() {
                    case "n": value.append("\n")
                    case "\\": value.append("\\")
                    case "\"": value.append("\"")
                    default: throw Malformed(line: line)
                    }
                }
                guard labels.updateValue(text(value[...]), forKey: text(label)) == nil else {
                    throw Malformed(line: line)
                }
            } while rest.first == ","
            guard rest.popFirst() == "}" else { throw Malformed(line: line) }
        }
        guard isName(text(name)), rest.popFirst() == " ", let value = Double(text(rest)) else {
            throw Malformed(line: line)
        }
        return Sample(name: text(name), labels: labels, value: value)
    }

    private static func isName(_ text: String) -> Bool {
        text.wholeMatch(of: /[a-zA-Z_:][a-zA-Z0-9_:]*/) != nil
    }
}
