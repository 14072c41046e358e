// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// The values that a request gives its parameters: each name with all values that came under it, in their order.
struct ParameterValues: Sendable, Equatable, ExpressibleByDictionaryLiteral {
    private var values: [String: [String]] = [:]

    init() {}

    init(dictionaryLiteral pairs: (String, String)...) {
        for (name, value) in pairs { add(value, to: name) }
    }

    /// Adds a value to those of a name.
    mutating func add(_ value: String, to name: String) {
        values[name, default: []].append(value)
    }

    /// All values of a name; none if it was not given.
    func all(_ name: String) -> [String] {
        values[name] ?? []
    }

    /// The value of a parameter that takes one; `nil` if it was not given.
    ///
    /// - Throws: ``Problem`` with the code `bad_parameter` if it was given more than once, also with the same value.
    func one(_ name: String) throws(Problem) -> String? {
        let values = all(name)
        guard values.count <= 1 else {
            throw Problem(
                status: .badRequest,
                code: .badParameter,
                detail: "‘\(name)’ is given \(values.count) times, but takes one value. "
                    + "Give it once, in the query or in a form field"
            )
        }
        return values.first
    }
}
