// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Logging
import NereidModels
import Testing

@testable import NereidServer

@Suite("Log lines")
struct LogfmtHandlerTests {
    /// The line of one event, without its end.
    private static func line(_ message: String = "event", _ metadata: Logger.Metadata = [:]) -> String {
        let log = LogLines()
        log.logger().info("\(message)", metadata: metadata)
        #expect(log.text.hasSuffix("\n"))
        return String(log.text.dropLast())
    }

    private static func value(_ value: String) -> String {
        let line = line("event", ["k": "\(value)"])
        let prefix = "time=2025-11-24T16:00:00.250Z level=info source=NereidServerTests msg=event k="
        #expect(line.hasPrefix(prefix))
        return String(line.dropFirst(prefix.count))
    }

    static let examples: [(String, String)] = [
        ("word", "word"), ("a-b_c.d/e:f,g;[h]{i}", "a-b_c.d/e:f,g;[h]{i}"),
        ("redis://reef:6379/0", "redis://reef:6379/0"),
        ("‘ä’", "‘ä’"), ("", "\"\""), ("two words", "\"two words\""), ("a=b", "\"a=b\""),
        ("say \"hi\"", "\"say \\\"hi\\\"\""), ("\"", "\"\\\"\""), ("a\\b", "\"a\\\\b\""), ("\\n", "\"\\\\n\""),
        ("a\nb", "\"a\\nb\""), ("a\r\nb\t", "\"a\\r\\nb\\t\""), ("\u{1B}[31m", "\"\\u001b[31m\""),
        ("\u{0}", "\"\\u0000\""), ("\u{7F}", "\"\\u007f\""), ("\u{85}", "\"\\u0085\""), ("\u{9B}", "\"\\u009b\""),
        ("a\u{202E}b", "\"a\\u202eb\""), ("\u{2028}", "\"\\u2028\""), ("a\u{A0}b", "\"a\u{A0}b\""),
        ("\u{E0001}", "\"\\udb40\\udc01\""), ("👩\u{200D}🔬", "👩\u{200D}🔬"), ("\u{FFFD}", "\u{FFFD}"),
        ("x\nlevel=error msg=forged", "\"x\\nlevel=error msg=forged\""),
    ]

    @Test("have a value as it is when it is one word, else as a JSON string", arguments: examples)
    func value(value: String, written: String) {
        #expect(Self.value(value) == written)
    }

    @Test("are one line each, and read back as they were written, whatever character a value, a message or a key has")
    func everyScalar() throws {
        var block = String.UnicodeScalarView()
        func check() {
            let text = "a\(String(block))b"
            let line = Self.line(text, ["key": "\(text)"])
            #expect(line.isPrintable)
            let read = LogLines.read(line)
            #expect(read["key"] == text)
            #expect(read["msg"] == text)
            block = .init()
        }
        // The planes that have characters, and the ends of the others.
        for plane in [UInt32(0)...0x32FFF, 0x3FF00...0x400FF, 0xDFF00...0xE0FFF, 0x10FF00...0x10FFFF] {
            for number in plane {
                guard let scalar = Unicode.Scalar(number) else { continue }
                block.append(scalar)
                // A value of four bytes each stays below the length at which it is cut.
                if block.count == 1000 { check() }
            }
            check()
        }
        // Alone too: what is around it must not decide whether it is escaped.
        for number in UInt32(0)...0x3000 {
            guard let scalar = Unicode.Scalar(number) else { continue }
            let line = Self.line("event", [String(scalar): "\(String(scalar))"])
            #expect(line.isPrintable)
            #expect(LogLines.read(line).values.contains(String(scalar)))
        }
    }

    @Test("have keys of plain characters only")
    func keys() {
        #expect(Self.line("event", ["hb.request-id_1": "x"]).hasSuffix(" msg=event hb.request-id_1=x"))
        #expect(Self.line("event", ["a b=\"\n": "x"]).hasSuffix(" msg=event a_b___=x"))
        #expect(Self.line("event", ["": "x"]).hasSuffix(" msg=event _=x"))
        #expect(Self.line("event", ["ключ": "x"]).hasSuffix("=x"))
    }

    @Test("have their own keys first, then the others in order, none twice")
    func order() {
        let line = Self.line("an event", ["b": "2", "a": "1", "msg": "x", "level": "y", "time": "z", "source": "s"])
        #expect(
            line == "time=2025-11-24T16:00:00.250Z level=info source=NereidServerTests msg=\"an event\" a=1 b=2 "
                + "level_=y msg_=x source_=s time_=z"
        )
    }

    @Test("have lists and dictionaries as one value")
    func nested() {
        let line = Self.line("event", ["list": ["a b", "c"], "map": ["k": "v\n"]])
        #expect(line.isPrintable)
        let read = LogLines.read(line)
        #expect(read["list"]?.contains("a b") == true && read["list"]?.contains("c") == true)
        #expect(read["map"]?.contains("k") == true && read["map"]?.contains("v") == true)
    }

    @Test("take what belongs to the logger, unless the event says otherwise")
    func inherited() {
        let log = LogLines()
        var logger = log.logger()
        logger[metadataKey: "request"] = "1"
        logger[metadataKey: "kept"] = "yes"
        logger.warning("event", metadata: ["request": "2"])
        #expect(log.lines[0]["request"] == "2")
        #expect(log.lines[0]["kept"] == "yes")
        #expect(log.lines[0]["level"] == "warning")
    }

    @Test("cut a value that is too long at a character, and say how long it was")
    func length() {
        let (limit, value) = (LogfmtLine.longestValue, String(repeating: "é", count: 5000))
        let read = LogLines.read(Self.line("event", ["k": "x\(value)"]))["k"]
        #expect(read == "x" + String(repeating: "é", count: (limit - 1) / 2) + "… (10001 bytes)")
        let exact = String(repeating: "x", count: limit)
        #expect(LogLines.read(Self.line("event", ["k": "\(exact)"]))["k"] == exact)
    }

    @Test("below the level are not written")
    func level() {
        let log = LogLines()
        log.logger(level: .error).warning("event")
        #expect(log.text.isEmpty)
    }
}
