// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging
import NereidVision
import Yams

/// Typed, bounded reads from one YAML mapping, with errors that name the key and what was expected of it.
struct SettingsReader {
    /// Why a settings file can't be used, in words.
    struct Problem: Error, CustomStringConvertible {
        let description: String

        init(_ description: String) {
            self.description = description
        }
    }

    private let values: [String: Node]

    /// Reads the mapping and checks that every key is known.
    init(yaml: String, known: [String]) throws(Problem) {
        let node: Node?
        do { node = try Yams.compose(yaml: yaml) } catch { throw Problem("it is not YAML: \(error)") }
        guard let node else {
            values = [:]
            return
        }
        guard let mapping = node.mapping else { throw Problem("it must be a mapping of settings to values") }
        var values: [String: Node] = [:]
        for (key, value) in mapping {
            let name = key.string ?? "?"
            guard known.contains(name) else {
                throw Problem("‘\(name)’ is not a setting. Settings: \(known.joined(separator: ", "))")
            }
            guard values.updateValue(value, forKey: name) == nil else { throw Problem("‘\(name)’ stands twice") }
        }
        self.values = values
    }

    func string(_ key: String) throws(Problem) -> String? {
        guard let node = values[key] else { return nil }
        guard let text = node.scalar?.string else { throw Problem("‘\(key)’ must be a word") }
        return text
    }

    /// The value if it is a single string, `nil` if it is anything else.
    func plainString(_ key: String) -> String? { values[key]?.scalar?.string }

    func choice(_ key: String, of choices: [String]) throws(Problem) -> String? {
        guard let text = try string(key) else { return nil }
        guard choices.contains(text) else {
            throw Problem("‘\(key): \(text)’ is none of \(choices.joined(separator: ", "))")
        }
        return text
    }

    func boolean(_ key: String) throws(Problem) -> Bool? {
        guard let node = values[key] else { return nil }
        guard let value = node.bool else { throw Problem("‘\(key)’ must be true or false") }
        return value
    }

    func integer(_ key: String, in range: ClosedRange<Int>) throws(Problem) -> Int? {
        guard let node = values[key] else { return nil }
        guard let value = node.int, range.contains(value) else {
            throw Problem("‘\(key)’ must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    func number(_ key: String) throws(Problem) -> Double? {
        guard let node = values[key] else { return nil }
        guard let value = node.float, value.isFinite else { throw Problem("‘\(key)’ must be a number") }
        return value
    }

    func fraction(_ key: String) throws(Problem) -> Float? {
        guard let value = try number(key) else { return nil }
        guard (0...1).contains(value) else { throw Problem("‘\(key)’ must lie between 0 and 1, not \(value)") }
        return Float(value)
    }

    func numbers(_ key: String, count: Int) throws(Problem) -> [Float]? {
        guard let node = values[key] else { return nil }
        let numbers = node.sequence?.compactMap { $0.float.map { Float($0) } }.filter(\.isFinite) ?? []
        guard numbers.count == count, node.sequence?.count == count else {
            throw Problem("‘\(key)’ must be a list of \(count) numbers")
        }
        return numbers
    }

    func strings(_ key: String) throws(Problem) -> [String]? {
        guard let node = values[key] else { return nil }
        let strings = node.sequence?.compactMap { $0.scalar?.string } ?? []
        guard let sequence = node.sequence, strings.count == sequence.count else {
            throw Problem("‘\(key)’ must be a list of words")
        }
        return strings
    }

    func dictionary(_ key: String) throws(Problem) -> [String: String]? {
        guard let node = values[key] else { return nil }
        guard let mapping = node.mapping else { throw Problem("‘\(key)’ must map old names to new ones") }
        var result: [String: String] = [:]
        for (old, new) in mapping {
            guard let old = old.scalar?.string, let new = new.scalar?.string else {
                throw Problem("‘\(key)’ must map old names to new ones")
            }
            result[old] = new
        }
        return result
    }

    func size(_ key: String) throws(Problem) -> PixelSize? {
        guard let node = values[key] else { return nil }
        let sides = node.sequence?.compactMap(\.int) ?? node.int.map { [$0, $0] } ?? []
        guard sides.count == 2, sides.allSatisfy({ (1...8192).contains($0) }) else {
            throw Problem("‘\(key)’ must be a side from 1 to 8192 or [width, height]")
        }
        return PixelSize(width: sides[0], height: sides[1])
    }

    func scales(_ key: String) throws(Problem) -> [PixelSize]? {
        guard let node = values[key] else { return nil }
        let scales = node.sequence?.compactMap { scale -> PixelSize? in
            let sides = scale.sequence?.compactMap(\.int) ?? []
            guard sides.count == 2, scale.sequence?.count == 2, sides.allSatisfy({ (1...8192).contains($0) }) else {
                return nil
            }
            return PixelSize(width: max(sides[0], sides[1]), height: min(sides[0], sides[1]))
        }
        guard let scales, (1...8).contains(scales.count), scales.count == node.sequence?.count else {
            throw Problem("‘\(key)’ must be a list of 1 to 8 pairs [SHORTER, LONGER] of sides from 1 to 8192")
        }
        return scales
    }

    func sizeRule(_ key: String) throws(Problem) -> VisionModelConfiguration.SizeRule? {
        guard let node = values[key] else { return nil }
        guard let mapping = node.mapping, mapping.count == 2,
            let tallerThan = mapping["taller_than"]?.int, let size = mapping["size"]?.int,
            tallerThan > 0, (32...8192).contains(size)
        else { throw Problem("‘\(key)’ must read {taller_than: PIXELS, size: SIDE}") }
        return .init(tallerThan: tallerThan, size: size)
    }
}
