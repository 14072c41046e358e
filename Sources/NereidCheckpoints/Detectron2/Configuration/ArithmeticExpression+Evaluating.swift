// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

extension ArithmeticExpression {
    /// The most numbers and lists that are made on the way. Five levels with three anchors need some sixty.
    static let maximumSteps = 8192
    /// The greatest exponent of an integer, upwards or downwards.
    static let maximumExponent = 64

    /// What the expression comes to: a number, or lists of numbers.
    ///
    /// - Throws: ``Refusal`` when a result is not finite or too large, or there are too many.
    func value() throws(Refusal) -> ConfigurationValue {
        var steps = 0
        return try Self.value(of: root, variable: nil, &steps)
    }

    private static func value(
        of term: Term,
        variable: ConfigurationValue?,
        _ steps: inout Int
    ) throws(Refusal) -> ConfigurationValue {
        steps += 1
        guard steps <= maximumSteps else { throw Refusal(reason: "has more than \(maximumSteps) results") }
        switch term {
        case .value(let value): return value
        case .variable:
            guard let variable else { throw Refusal(reason: "uses its variable outside of the comprehension") }
            return variable
        case .list(let elements):
            var values: [ConfigurationValue] = []
            for element in elements { values.append(try value(of: element, variable: variable, &steps)) }
            return .list(values)
        case .negation(let term):
            return try difference(.integer(0), try value(of: term, variable: variable, &steps))
        case .operation(let sign, let left, let right):
            let operands = (
                try value(of: left, variable: variable, &steps), try value(of: right, variable: variable, &steps)
            )
            return try result(of: sign, operands.0, operands.1)
        case .comprehension(let element, let source):
            guard case .list(let items) = try value(of: source, variable: nil, &steps) else {
                throw Refusal(reason: "has a comprehension over something that is not a list")
            }
            var values: [ConfigurationValue] = []
            for item in items { values.append(try value(of: element, variable: item, &steps)) }
            return .list(values)
        }
    }

    private static func result(
        of sign: Operator,
        _ left: ConfigurationValue,
        _ right: ConfigurationValue
    ) throws(Refusal) -> ConfigurationValue {
        switch sign {
        case .plus: try combined(left, right, { $0.addingReportingOverflow($1) }, +)
        case .minus: try difference(left, right)
        case .times: try combined(left, right, { $0.multipliedReportingOverflow(by: $1) }, *)
        case .divided: try quotient(left, right)
        case .power: try power(left, right)
        }
    }

    private static func difference(
        _ left: ConfigurationValue,
        _ right: ConfigurationValue
    ) throws(Refusal) -> ConfigurationValue {
        try combined(left, right, { $0.subtractingReportingOverflow($1) }, -)
    }

    /// Integers stay integers as long as they fit; anything with a real number is real.
    private static func combined(
        _ left: ConfigurationValue,
        _ right: ConfigurationValue,
        _ integers: (Int, Int) -> (partialValue: Int, overflow: Bool),
        _ reals: (Double, Double) -> Double
    ) throws(Refusal) -> ConfigurationValue {
        if case .integer(let left) = left, case .integer(let right) = right {
            let (result, overflows) = integers(left, right)
            guard !overflows else { throw Refusal(reason: "comes to a number that is too large") }
            return .integer(result)
        }
        return try finite(reals(try real(left), try real(right)))
    }

    private static func quotient(
        _ left: ConfigurationValue,
        _ right: ConfigurationValue
    ) throws(Refusal) -> ConfigurationValue {
        let divisor = try real(right)
        guard divisor != 0 else { throw Refusal(reason: "divides by zero") }
        return try finite(try real(left) / divisor)
    }

    private static func power(
        _ base: ConfigurationValue,
        _ exponent: ConfigurationValue
    ) throws(Refusal) -> ConfigurationValue {
        if case .integer(let base) = base, case .integer(let exponent) = exponent {
            guard (-maximumExponent...maximumExponent).contains(exponent) else {
                throw Refusal(reason: "raises a number to the power \(exponent)")
            }
            guard exponent >= 0 else { return try finite(pow(Double(base), Double(exponent))) }
            var result = 1
            for _ in 0..<exponent {
                let (product, overflows) = result.multipliedReportingOverflow(by: base)
                guard !overflows else { throw Refusal(reason: "comes to a number that is too large") }
                result = product
            }
            return .integer(result)
        }
        return try finite(pow(try real(base), try real(exponent)))
    }

    private static func real(_ value: ConfigurationValue) throws(Refusal) -> Double {
        switch value {
        case .integer(let number): Double(number)
        case .real(let number): number
        default: throw Refusal(reason: "calculates with \(value), which is not a number")
        }
    }

    private static func finite(_ number: Double) throws(Refusal) -> ConfigurationValue {
        guard number.isFinite else { throw Refusal(reason: "comes to a number that is not finite") }
        return .real(number)
    }
}
