// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import TestSupport
import Testing

@testable import NereidVision

@Suite("Python literals")
struct PythonLiteralTests {
    @Test(
        "are read as Python reads them",
        arguments: [
            ("None", PythonLiteral.none),
            (" True ", .boolean(true)),
            ("False", .boolean(false)),
            ("42", .integer(42)),
            ("-7", .integer(-7)),
            ("+7", .integer(7)),
            ("1.5", .real(1.5)),
            (".5", .real(0.5)),
            ("-2e3", .real(-2000)),
            ("99999999999999999999", .real(1e20)),
            ("''", .string("")),
            ("\"it's\"", .string("it's")),
            (#"'it\'s'"#, .string("it's")),
            (#"'a\\b\n\t\r'"#, .string("a\\b\n\t\r")),
            (#"'\x41\u00e9\U0001F41F'"#, .string("Aé🐟")),
            (#"'\d'"#, .string(#"\d"#)),
            ("'Seegurke ❄ 海鼠'", .string("Seegurke ❄ 海鼠")),
            ("[]", .list([])),
            ("()", .list([])),
            ("{}", .dictionary([])),
            ("[640, 640]", .list([.integer(640), .integer(640)])),
            ("(1,)", .list([.integer(1)])),
            ("['a', \"b\",]", .list([.string("a"), .string("b")])),
            ("[[1], {2: [3.0]}]", .list([.list([.integer(1)]), .dictionary([(.integer(2), .list([.real(3)]))])])),
            ("{0: 'person', 1: 'it'}", .dictionary([(.integer(0), .string("person")), (.integer(1), .string("it"))])),
            ("{ 'a' : None , }", .dictionary([(.string("a"), .none)])),
            ("{\"0\": \"red\", \"1\": null}", .dictionary([(.string("0"), .string("red")), (.string("1"), .none)])),
            ("[true, false]", .list([.boolean(true), .boolean(false)])),
            (#"["\ud83d\udc1f", "a\/b"]"#, .list([.string("🐟"), .string("a/b")])),
            (
                "OrderedDict([(0, 'red'), (1, 'it')])",
                .dictionary([(.integer(0), .string("red")), (.integer(1), .string("it"))])
            ),
            ("collections.OrderedDict({0: 'red'})", .dictionary([(.integer(0), .string("red"))])),
            ("OrderedDict()", .dictionary([])),
            ("{np.int64(0): np.str_('red')}", .dictionary([(.integer(0), .string("red"))])),
            ("array(['a', 'b'], dtype='<U1')", .list([.string("a"), .string("b")])),
            ("numpy.array([ 'a' ] , dtype = object )", .list([.string("a")])),
            ("\n{\t0:\r\n'a'}\n", .dictionary([(.integer(0), .string("a"))])),
        ] as [(String, PythonLiteral)]
    )
    func literal(text: String, expected: PythonLiteral) {
        #expect(PythonLiteral(parsing: text) == expected)
    }

    @Test(
        "are told from everything else, which is not evaluated",
        arguments: [
            "", " ", "person", "dict(a=1)", "__import__('os').system('true')", "[1", "[1 2]", "[,]", "{1}", "{1:}",
            "{1: 2", "{:2}", "'abc", "'a' 'b'", "\"abc'", "'\\", #"'\x4'"#, #"'\xzz'"#, #"'\ud800'"#, #"'\U00110000'"#,
            "1 2",
            "OrderedDict", "OrderedDict(", "OrderedDict(1)", "OrderedDict([(1, 2, 3)])", "OrderedDict([1])",
            "os.str_('a')",
            "np.system('a')", "np.str_()", "np.str_('a', 'b')", "array([1], dtype=)", "array([1], copy=True)",
            "x.array([1])",
            #"'\ud83d\u0041'"#, #"'\ud83d\u'"#, "Trueish", "1.2.3", "--1", "e", "1 + 1", "(1", "[1)", "nan", "f'x'",
            "b'x'", "#", "{0: 'a'} x",
        ]
    )
    func notALiteral(text: String) {
        #expect(PythonLiteral(parsing: text) == nil)
    }

    @Test("may be nested, but not without end")
    func depth() {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(PythonLiteral(parsing: nested(16)) != nil)
        #expect(PythonLiteral(parsing: nested(17)) == nil)
        #expect(PythonLiteral(parsing: nested(200_000)) == nil)
        #expect(PythonLiteral(parsing: String(repeating: "{0:", count: 200_000)) == nil)
    }

    @Test("are survived however they are damaged")
    func mutations() {
        let seeds = [
            "{0: 'person', 1: \"it's\", 2: 'a\\u00e9\\'b'}", "[640, [1.5e3, -2], (True, None)]",
            "{'a': {'b': ['c', 'd']}, 'e': 'é❄'}",
        ]
        let spice = Array("{}[]():,'\"\\xuU0123456789.-+eTrueNone \n".utf8) + [0, 0x80, 0xC3, 0xFF]
        var generator = SeededGenerator(seed: 4)
        var read = 0
        for round in 0..<6000 {
            var bytes = Array(seeds[round % seeds.count].utf8)
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes[place] = spice.randomElement(using: &generator)!
                case 1: bytes.insert(spice.randomElement(using: &generator)!, at: place)
                default: if bytes.count > 1 { bytes.remove(at: place) }
                }
            }
            let text = String(decoding: bytes, as: UTF8.self)
            if PythonLiteral(parsing: text) != nil { read += 1 }
            _ = FileLabels(text)
        }
        // Damage within a string leaves a literal, damage to a bracket does not: both must have come up.
        #expect((100..<5900).contains(read))
    }
}
