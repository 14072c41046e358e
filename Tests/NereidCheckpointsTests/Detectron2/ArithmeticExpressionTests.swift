// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Testing

@testable import NereidCheckpoints

@Suite("Arithmetic of configurations")
struct ArithmeticExpressionTests {
    @Test("is what Python makes of it")
    func values() throws {
        let cases: [(String, ConfigurationValue)] = [
            ("1 + 2 * 3", .integer(7)),
            ("(1 + 2) * 3", .integer(9)),
            ("2**3**2", .integer(512)),
            ("-2**2", .integer(-4)),
            ("(-2)**2", .integer(4)),
            ("7/2", .real(3.5)),
            ("4/2", .real(2)),
            ("2**-1", .real(0.5)),
            ("1e3", .real(1000)),
            ("- -3", .integer(3)),
            ("+3 - -1", .integer(4)),
            ("(4,)", .list([.integer(4)])),
            ("(4)", .integer(4)),
            ("()", .list([])),
            ("[]", .list([])),
            ("[1, 2.5,]", .list([.integer(1), .real(2.5)])),
            ("[x for x in [1, 2]]", .list([.integer(1), .integer(2)])),
            ("[[x, x*2] for x in (8, 16)]", .list([.list([8, 16]), .list([16, 32])])),
            ("[0.5 for x in [1]]", .list([.real(0.5)])),
        ]
        for (text, expected) in cases {
            #expect(try ArithmeticExpression(parsing: text).value() == expected, "\(text)")
        }
    }

    @Test("gives RetinaNet's anchors to the last bit")
    func anchors() throws {
        let text = "[[x, x * 2**(1.0/3), x * 2**(2.0/3) ] for x in [32, 64, 128, 256, 512 ]]"
        let expected = [32, 64, 128, 256, 512].map { size in
            ConfigurationValue.list([
                .integer(size), .real(Double(size) * pow(2, 1.0 / 3)), .real(Double(size) * pow(2, 2.0 / 3)),
            ])
        }
        #expect(try ArithmeticExpression(parsing: text).value() == .list(expected))
    }

    @Test(
        "refuses everything else, and says what",
        arguments: [
            ("__import__('os').system('id')", "uses the name ‘__import__’"),
            ("open", "uses the name ‘open’"),
            ("[x for x in range(3)]", "uses the name ‘range’"),
            ("[x for x in y]", "uses the name ‘y’"),
            ("(1)(2)", "calls something"),
            ("[1, 2][0]", "indexes something"),
            ("'text'", "has a text, ‘text’, in it"),
            ("1.real", "goes on with the name ‘real’ where it should end"),
            ("[1, 2].append", "goes on with"),
            ("lambda: 1", "uses the name ‘lambda’"),
            ("[[x for x in [1]] for x in [1]]", "has more than one comprehension"),
            ("[x for x in [1] if x]", "has ‘if’ in its comprehension"),
            ("(x for x in [1])", "has a generator in parentheses"),
            ("[x, y for x, y in [1]]", "uses the name ‘y’"),
            ("x", "uses the name ‘x’"),
            ("1 +", "ends too early"),
            ("[1", "ends without ‘]’"),
            ("1 / 0", "divides by zero"),
            ("1 // 2", "has ‘/’ where a number or a list should be"),
            ("1 % 2", "goes on with ‘%’ where it should end"),
            ("[1] + [2]", "calculates with [1], which is not a number"),
            ("9**9**9**9", "raises a number to the power 387420489"),
            ("9**64", "comes to a number that is too large"),
            ("2.0**10000", "comes to a number that is not finite"),
            ("1e308 * 10", "comes to a number that is not finite"),
            ("9223372036854775807 + 1", "comes to a number that is too large"),
            ("[x for x in 3]", "has a comprehension over something that is not a list"),
            ("", "ends too early"),
        ]
    )
    func refusals(text: String, reason: String) throws {
        let refusal = #expect(throws: ArithmeticExpression.Refusal.self) {
            try ArithmeticExpression(parsing: text).value()
        }
        #expect(refusal?.reason.contains(reason) == true, "\(text): \(refusal?.reason ?? "")")
    }

    @Test("is bounded in length, depth and results")
    func bounds() {
        let long = String(repeating: "1+", count: 3000) + "1"
        let brackets = String(repeating: "[", count: 2000) + String(repeating: "]", count: 2000)
        let signs = String(repeating: "-", count: 4000) + "1"
        let powers = String(repeating: "1**", count: 1000) + "1"
        let ones = String(repeating: "1,", count: 200)
        let product = "[[\(ones)] for x in [\(ones)]]"
        for text in [long, brackets, signs, powers, product] {
            #expect(throws: ArithmeticExpression.Refusal.self) { try ArithmeticExpression(parsing: text).value() }
        }
    }
}

extension ConfigurationValue: ExpressibleByIntegerLiteral {
    init(integerLiteral number: Int) { self = .integer(number) }
}
