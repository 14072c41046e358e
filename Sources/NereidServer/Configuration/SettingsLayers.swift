// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidJobs
import NereidModels
import Yams

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The settings as they were given, with the place that each one came from: flags before the environment before the file.
///
/// Values stay text until they are read, so that every error can name the flag, the variable or the file's key at fault.
public struct SettingsLayers: Sendable {
    /// A value and what to call it in an error.
    struct Given: Sendable, Equatable {
        let value: String
        let source: String
    }

    private var given: [Setting: Given] = [:]

    /// Gathers the settings.
    ///
    /// - Parameters:
    ///   - flags: what the command line says.
    ///   - environment: all environment variables; those that start with `NEREID_` must be known.
    ///   - file: the path of a YAML file, if there is one.
    /// - Throws: ``SettingsError`` for a name that is not a setting, or a file that can't be read.
    public init(
        flags: [Setting: String] = [:],
        environment: [String: String] = [:],
        file: String? = nil
    ) throws(SettingsError) {
        for (setting, value) in flags { given[setting] = Given(value: value, source: setting.flag) }
        try add(environment: environment)
        if let file { try add(file: file) }
    }

    private mutating func add(environment: [String: String]) throws(SettingsError) {
        let known = Set(Setting.allCases.flatMap(\.environmentNames)).union(Self.otherVariables)
        for name in environment.keys.sorted() where name.hasPrefix("NEREID_") && !known.contains(name) {
            throw .unknown(
                name: name,
                source: "the environment",
                known: Setting.allCases.compactMap(\.environmentNames.first)
            )
        }
        for setting in Setting.allCases where given[setting] == nil {
            for name in setting.environmentNames {
                // Set to nothing is how compose files and scripts say “not set”.
                if let value = environment[name], !value.isEmpty, given[setting] == nil {
                    given[setting] = Given(value: value, source: name)
                }
            }
        }
    }

    /// Variables that are read elsewhere: the tests' way to shared material, the settings file, set-up.
    private static let otherVariables: Set<String> = [
        "NEREID_SHARED", "NEREID_CONFIG", "NEREID_SETUP_SKIP_APT", "NEREID_FAILPOINT_CRASH",
    ]

    private mutating func add(file path: String) throws(SettingsError) {
        guard let text = EditedFile.text(at: path) else {
            throw .unreadable(path: path, reason: "it is not there, or not \(EditedFile.requirement)")
        }
        let node: Node?
        do { node = try Yams.compose(yaml: text) } catch { throw .unreadable(path: path, reason: "\(error)") }
        guard let node else { return }
        guard let mapping = node.mapping else {
            throw .unreadable(path: path, reason: "it must be a mapping of settings to values")
        }
        for (key, value) in mapping {
            let name = key.scalar?.string ?? "?"
            guard let setting = Setting(rawValue: name) else {
                throw .unknown(name: name, source: path, known: Setting.allCases.map(\.rawValue))
            }
            let text = value.scalar?.string ?? value.sequence?.compactMap(\.scalar?.string).joined(separator: ",")
            guard let text else {
                throw .invalid(source: "‘\(name)’ in \(path)", value: "a mapping", expected: "a single value or a list")
            }
            if given[setting] == nil { given[setting] = Given(value: text, source: "‘\(name)’ in \(path)") }
        }
    }
}

extension SettingsLayers {
    /// A word.
    func string(_ setting: Setting) -> String? { given[setting]?.value }

    /// What to call the place where a setting is given; the flag where it is not.
    func source(of setting: Setting) -> String { given[setting]?.source ?? setting.flag }

    /// Words separated by commas.
    func list(_ setting: Setting) -> [String]? {
        given[setting]?.value.split(separator: ",").map { $0.trimmingPrefix(while: \.isWhitespace) }.map(String.init)
    }

    /// A whole number in a range.
    func integer(_ setting: Setting, in range: ClosedRange<Int>) throws(SettingsError) -> Int? {
        try read(setting, expected: "a whole number from \(range.lowerBound) to \(range.upperBound)") { text in
            Int(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    /// A number of bytes: `1048576`, `64MiB`, `1GiB`, or with the units' first letters alone.
    func bytes(_ setting: Setting) throws(SettingsError) -> Int? {
        try read(setting, expected: "a number of bytes above zero such as 1048576, 64MiB or 1GiB") { text in
            let digits = text.prefix(while: \.isNumber)
            let unit = text.dropFirst(digits.count).drop(while: \.isWhitespace).lowercased()
            let shifts = ["": 0, "b": 0, "k": 10, "kib": 10, "m": 20, "mib": 20, "g": 30, "gib": 30]
            guard let number = Int(digits), number > 0, let shift = shifts[unit], number < 1 << 30 else {
                return Int(text).flatMap { $0 > 0 ? $0 : nil }
            }
            return number << shift
        }
    }

    /// A time in seconds, above zero or, where that means something, zero.
    func seconds(
        _ setting: Setting,
        orNone: Bool = false,
        upTo most: Int = 86_400
    ) throws(SettingsError) -> Duration? {
        let range = orNone ? "from 0 to \(most)" : "above 0 and up to \(most)"
        return try read(setting, expected: "a number of seconds \(range)") { text in
            Double(text).flatMap { ($0 > 0 || (orNone && $0 == 0)) && $0 <= Double(most) ? .seconds($0) : nil }
        }
    }

    /// `true` or `false`.
    func boolean(_ setting: Setting) throws(SettingsError) -> Bool? {
        try read(setting, expected: "true or false") { text in
            switch text.lowercased() {
            case "true", "yes", "1", "on": true
            case "false", "no", "0", "off": false
            default: nil
            }
        }
    }

    /// Where a Redis server is.
    func address(_ setting: Setting) throws(SettingsError) -> RedisAddress? {
        guard let given = given[setting] else { return nil }
        do throws(RedisAddressError) {
            return try RedisAddress(parsing: given.value)
        } catch {
            throw .unusable(source: given.source, reason: error.description)
        }
    }

    /// Names or addresses of machines.
    func hosts(_ setting: Setting) throws(SettingsError) -> [WebhookTarget.Host]? {
        let words = "hosts without a scheme or a port, separated by commas, such as hooks.lab.example.org, 10.0.0.7"
        return try read(setting, expected: words) { text in
            let hosts = (list(setting) ?? []).map { WebhookTarget.Host($0) }
            return hosts.contains(nil) ? nil : hosts.compactMap(\.self)
        }
    }

    /// Hosts that requests may be for.
    func hostPatterns(_ setting: Setting) throws(SettingsError) -> [HostRules.Pattern]? {
        let words =
            "hosts without a scheme or a port, separated by commas, such as nereid.example.org, *.lab.example.org"
        return try read(setting, expected: words) { _ in
            let patterns = (list(setting) ?? []).map { HostRules.Pattern($0) }
            return patterns.contains(nil) ? nil : patterns.compactMap(\.self)
        }
    }

    /// Names of models.
    func modelNames(_ setting: Setting) throws(SettingsError) -> [String]? {
        try read(setting, expected: "names of models, separated by commas") { _ in
            let names = list(setting) ?? []
            return !names.isEmpty && names.allSatisfy(ModelLocation.isUsable) ? names : nil
        }
    }

    /// Lists of older workers.
    func legacyLists(_ setting: Setting) throws(SettingsError) -> [LegacyList] {
        guard let given = given[setting] else { return [] }
        do throws(LegacyListError) {
            return try LegacyList.lists(parsing: given.value)
        } catch {
            throw .unusable(source: given.source, reason: error.description)
        }
    }

    /// Anything else that a text can be read as.
    func read<Value>(
        _ setting: Setting,
        expected: String,
        _ parse: (String) -> Value?
    ) throws(SettingsError) -> Value? {
        guard let given = given[setting] else { return nil }
        guard let value = parse(given.value) else {
            throw .invalid(source: given.source, value: given.value, expected: expected)
        }
        return value
    }
}
