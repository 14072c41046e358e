// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Yams

/// One configuration file as plain values.
///
/// Yams gives the nodes; nothing is constructed from them by tag. Of two equal keys the second counts, as in PyYAML, with a
/// warning. Aliases are followed as far as a configuration needs them, so that a small file stays a small value.
struct ConfigurationDocument {
    /// The value of the whole file: a table.
    private(set) var root: ConfigurationValue
    /// What was read otherwise than it may have been meant.
    private(set) var warnings: [String] = []

    /// The most bytes of a file. Detectron2's complete `config.yaml` has 6,000.
    static let maximumByteCount = 1 << 18
    /// The most uses of an anchor. Detectron2's complete `config.yaml` has three.
    static let maximumAliases = 64
    /// The most values, those behind aliases counted each time.
    static let maximumValues = 20_000
    /// The deepest nesting.
    static let maximumDepth = 32
    /// The most keys that stand twice.
    static let maximumDuplicates = 32

    /// The tag of values that Python is to evaluate.
    private static let evaluation = "tag:yaml.org,2002:python/object/apply:eval"
    /// Tags of plain data.
    private static let plainTags: Set<String> = [
        "", "?", "!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:int", "tag:yaml.org,2002:float",
        "tag:yaml.org,2002:bool", "tag:yaml.org,2002:null", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map",
        "tag:yaml.org,2002:python/tuple",
    ]

    /// - Parameters:
    ///   - text: The contents of the file.
    ///   - file: What the file is called in messages.
    /// - Throws: ``Detectron2Error``.
    init(_ text: String, file: String) throws(Detectron2Error) {
        guard text.utf8.count <= Self.maximumByteCount else {
            throw .limitExceeded(file: file, what: "bytes", limit: Self.maximumByteCount)
        }
        // Counted in the text: comparing two keys that are aliases of aliases would already take for ever.
        guard Self.aliases(in: text) <= Self.maximumAliases else {
            throw .limitExceeded(file: file, what: "aliases", limit: Self.maximumAliases)
        }
        var keys = OverriddenKeys(in: text)
        let node = try keys.compose(file: file)
        var walk = Walk(file: file, overridden: keys)
        root = try walk.value(of: node, key: "the top", depth: 0)
        guard case .table = root else {
            throw .notAConfiguration(file: file, reason: "its top is \(root), not a table")
        }
        warnings = walk.warnings
    }

    /// The number of places where something looks like a use of an anchor: at most too many.
    private static func aliases(in text: String) -> Int {
        var count = 0
        var previous = UInt8(ascii: " ")
        var isStar = false
        for byte in text.utf8 {
            let isName =
                byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-") || byte >= 0x80
                || (byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z"))
                || (byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9"))
            if isStar, isName { count += 1 }
            isStar = byte == UInt8(ascii: "*") && " \t\r\n,[{:?-".utf8.contains(previous)
            previous = byte
        }
        return count
    }

    /// Turns nodes into values, counting them.
    private struct Walk {
        let file: String
        let overridden: OverriddenKeys
        var warnings: [String] = []
        private var count = 0

        init(file: String, overridden: OverriddenKeys) {
            self.file = file
            self.overridden = overridden
        }

        mutating func value(of node: Node, key: String, depth: Int) throws(Detectron2Error) -> ConfigurationValue {
            count += 1
            guard count <= maximumValues else { throw .limitExceeded(file: file, what: "values", limit: maximumValues) }
            guard depth <= maximumDepth else { throw .limitExceeded(file: file, what: "levels", limit: maximumDepth) }
            let tag = node.tag.description
            if tag == evaluation { return try evaluated(node, key: key) }
            guard plainTags.contains(tag) else { throw .refusedTag(file: file, tag: tag, key: key) }
            switch node {
            case .scalar(let scalar):
                return ConfigurationValue(scalar: scalar.string)
            case .sequence(let sequence):
                var values: [ConfigurationValue] = []
                for element in sequence { values.append(try value(of: element, key: key, depth: depth + 1)) }
                return .list(values)
            case .mapping(let mapping):
                return try table(mapping, key: key, depth: depth)
            case .alias:
                throw .notAConfiguration(file: file, reason: "at \(key) it uses an anchor that is not there")
            }
        }

        private mutating func table(
            _ mapping: Node.Mapping,
            key: String,
            depth: Int
        ) throws(Detectron2Error) -> ConfigurationValue {
            var entries: [String: ConfigurationValue] = [:]
            for (name, node) in mapping {
                guard let name = name.scalar?.string else {
                    throw .notAConfiguration(file: file, reason: "at \(key) it has a key that is not a word")
                }
                let path = depth == 0 ? name : "\(key).\(name)"
                if let original = overridden.original(of: name) {
                    let place = depth == 0 ? original : "\(key).\(original)"
                    warnings.append("the key \(Excerpt(place)) stands twice; the last one counts, as in Detectron2")
                    continue
                }
                guard name != "<<" else {
                    throw .notAConfiguration(file: file, reason: "at \(key) it merges tables with ‘<<’")
                }
                entries[name] = try value(of: node, key: String(path.prefix(200)), depth: depth + 1)
            }
            return .table(entries)
        }

        /// Detectron2 writes the expression as the only element of a list.
        private func evaluated(_ node: Node, key: String) throws(Detectron2Error) -> ConfigurationValue {
            guard let sequence = node.sequence, sequence.count == 1, let expression = sequence[0].scalar?.string else {
                throw .refusedExpression(
                    file: file,
                    key: key,
                    expression: node.scalar?.string ?? "something",
                    reason: "is not one expression in a list"
                )
            }
            do {
                return try ArithmeticExpression(parsing: expression).value()
            } catch {
                throw .refusedExpression(file: file, key: key, expression: expression, reason: error.reason)
            }
        }
    }
}

/// Keys that stand twice in a table, which Yams refuses: all but the last get another name in the text, and are left out
/// afterwards.
private struct OverriddenKeys {
    private var lines: [[Unicode.Scalar]]
    private let marker: String
    private var count = 0

    init(in text: String) {
        lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map(Array.init)
        var marker = "overridden"
        while text.contains(marker) { marker += "_" }
        self.marker = marker
    }

    /// The key as it stood in the file; `nil` for one that was not renamed.
    func original(of key: String) -> String? {
        guard key.hasPrefix(marker) else { return nil }
        return String(key.dropFirst(marker.count).drop { $0.isNumber }.dropFirst())
    }

    /// The nodes of the text, equal keys renamed.
    mutating func compose(file: String) throws(Detectron2Error) -> Node {
        while true {
            var text = String.UnicodeScalarView()
            for (index, line) in lines.enumerated() {
                if index > 0 { text.append("\n") }
                text.append(contentsOf: line)
            }
            do {
                guard let node = try Yams.compose(yaml: String(text), .basic) else {
                    throw Detectron2Error.notAConfiguration(file: file, reason: "it is empty")
                }
                return node
            } catch YamlError.duplicatedKeysInMapping(let keys, let context) {
                guard count < ConfigurationDocument.maximumDuplicates, rename(at: context.mark) else {
                    let names = keys.prefix(4).map { Excerpt($0).description }.joined(separator: ", ")
                    throw .notAConfiguration(file: file, reason: "keys stand in it more than once: \(names)")
                }
            } catch let error as Detectron2Error {
                throw error
            } catch let error as YamlError {
                throw .notAConfiguration(file: file, reason: "it is not YAML: \(Self.words(for: error))")
            } catch {
                throw .notAConfiguration(file: file, reason: "it is not YAML")
            }
        }
    }

    /// Puts the marker in front of the key that stands at this place; no if there is none.
    private mutating func rename(at mark: Mark) -> Bool {
        let (line, column) = (mark.line - 1, mark.column - 1)
        guard lines.indices.contains(line), lines[line].indices.contains(column) else { return false }
        let first = lines[line][column]
        let isQuoted = first == "\"" || first == "'"
        guard isQuoted || first.properties.isAlphabetic || first == "_" else { return false }
        count += 1
        lines[line].insert(contentsOf: "\(marker)\(count)_".unicodeScalars, at: isQuoted ? column + 1 : column)
        return true
    }

    /// What is wrong and where, without the text around it.
    private static func words(for error: YamlError) -> String {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            "\(problem) in line \(mark.line), column \(mark.column)"
        case .reader(let problem, _, _, _): problem
        default: "it can't be parsed"
        }
    }
}
