// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidCheckpoints

/// Opcodes and what is said about them.
struct Refusal: Sendable, CustomTestStringConvertible {
    let opcodes: [UInt8]
    let message: String

    init(_ opcodes: [UInt8], _ message: String) {
        self.opcodes = opcodes
        self.message = message
    }

    var testDescription: String { message }
}

struct RefusedPickleTests {
    private static let damage: [Refusal] = [
        Refusal([0xFF], "at byte 2 of its entry ‘archive/data.pkl’, 0xff is no opcode of a pickle"),
        Refusal([0x30], "at byte 2 of its entry ‘archive/data.pkl’, the opcode wants a value, and the stack has none"),
        Refusal([0x28, 0x61], "the opcode wants a value, and the stack has none"),
        Refusal([0x4E, 0x28, 0x85], "the opcode wants a value, and the stack has none"),
        Refusal([0x4E, 0x74], "the opcode wants a mark, and there is none"),
        Refusal([0x68, 9], "memo 9 is used before it is set"),
        Refusal([0x71, 0], "the opcode wants a value, and the stack has none"),
        Refusal([0x80, 6], "the pickle has protocol 6; 2 to 5 are read"),
        Refusal(
            [0x95] + littleEndian(UInt64(1) << 40),
            "a length of 1099511627776 bytes is given, but only 1 are left"
        ),
        Refusal([0x95] + littleEndian(UInt64.max), "a length of 18446744073709551615 bytes is given"),
        Refusal([0x58] + littleEndian(UInt32.max), "a length of 4294967295 bytes is given, but only 1 are left"),
        Refusal([0x8D] + littleEndian(UInt64(1) << 63), "a length of 9223372036854775808 bytes is given"),
        Refusal([0x8B] + littleEndian(Int32(-1)), "a length of -1 bytes is given"),
        Refusal([0x54] + littleEndian(Int32.min), "a length of -2147483648 bytes is given"),
        Refusal([0x8A], "a length of 46 bytes is given, but only 0 are left"),
        Refusal([0x4A, 0], "the pickle wants 4 bytes more, but only 2 are left"),
        Refusal([0x8C, 1, 0xFF], "a text is not UTF-8"),
        Refusal([0x63] + Array("os".utf8), "a name has no end"),
        Refusal([0x63] + [0xC0, 0x0A, 0x0A], "a text is not UTF-8"),
        Refusal([0x4B, 1, 0x4B, 1, 0x93], "a class is named by something else than text"),
        Refusal([0x7D, 0x28, 0x4E, 0x75], "a dictionary is given a key without a value"),
        Refusal([0x28, 0x4E, 0x64], "a dictionary is given a key without a value"),
        Refusal([0x4B, 1, 0x4E, 0x61], "elements are appended to an integer as if it were a list"),
        Refusal([0x29, 0x28, 0x65], "elements are appended to a tuple as if it were a list"),
        Refusal([0x5D, 0x4E, 0x4E, 0x73], "entries are set in a list as if it were a dictionary"),
        Refusal([0x5D, 0x28, 0x90], "elements are added to a list as if it were a set"),
        Refusal([0x4E, 0x4E, 0x52], "None is given in place of a tuple of arguments"),
        Refusal([0x28, 0x6F], "an object is made without naming its class"),
        Refusal([0x88, 0x7D, 0x62], "state is given to a truth value, which has none"),
        Refusal([0x47, 0, 0, 0, 0, 0, 0, 0, 0, 0x7D, 0x62], "state is given to a number, which has none"),
        Refusal([0x8C, 0, 0x7D, 0x62], "state is given to text, which has none"),
        Refusal([0x43, 0, 0x7D, 0x62], "state is given to bytes, which has none"),
        Refusal([0x63, 0x6F, 0x0A, 0x73, 0x0A, 0x7D, 0x62], "state is given to the name ‘o.s’, which has none"),
        Refusal([0x4B, 1, 0x51], "something else than a tensor's storage is kept outside of the pickle"),
        Refusal(
            [0x8C, 4, 0x66, 0x69, 0x6C, 0x65, 0x8C, 1, 0x2F, 0x86, 0x51],
            "‘file’ is kept outside of the pickle, but not as a tensor's storage is named"
        ),
    ]

    @Test(arguments: damage)
    func refusesDamage(refusal: Refusal) throws {
        let error = #expect(throws: CheckpointError.self) { try SavedCheckpoint.opening(opcodes: refusal.opcodes) }
        let words = try #require(error).description
        #expect(words.contains(refusal.message))
        #expect(words.contains("checkpoint ‘test.pt’"))
    }

    private static let unread: [Refusal] = [
        Refusal(Array("I01\n".utf8), "the pickle writes values as text (opcode textInteger, protocol 0)"),
        Refusal(Array("L1L\n".utf8), "opcode textLong"), Refusal(Array("F1\n".utf8), "opcode textFloat"),
        Refusal(Array("S'a'\n".utf8), "opcode textString"), Refusal(Array("Va\n".utf8), "opcode textUnicode"),
        Refusal(Array("g0\n".utf8), "opcode textGet"), Refusal(Array("p0\n".utf8), "opcode textPut"),
        Refusal(Array("P0\n".utf8), "opcode textPersistentID"),
        Refusal([0x82, 1], "a number of Python's extension registry"), Refusal([0x83, 1, 1], "extension registry"),
        Refusal([0x84, 1, 1, 1, 1], "extension registry"),
        Refusal([0x97], "the pickle keeps data outside of itself (opcode nextBuffer)"),
        Refusal([0x98], "opcode readOnlyBuffer"),
    ]

    @Test(arguments: unread)
    func namesWhatItDoesNotRead(refusal: Refusal) throws {
        let error = #expect(throws: CheckpointError.self) { try SavedCheckpoint.opening(opcodes: refusal.opcodes) }
        guard case .unsupported(_, _, let feature, let advice) = error else {
            Issue.record("\(String(describing: error)) was thrown")
            return
        }
        #expect(feature.contains(refusal.message))
        #expect(advice == "load it in Python and write it with torch.save")
    }

    @Test func refusesPickleWithoutEnd() throws {
        var file = SavedCheckpoint(.none).zipFile()
        file.entries[0].content = [0x80, 2, 0x4E]
        let error = #expect(throws: CheckpointError.self) { try Checkpoint(contents: file.bytes, name: "test.pt") }
        #expect(
            error
                == .damaged(
                    file: "test.pt",
                    place: CheckpointPlace(part: "archive/data.pkl", byte: 3),
                    reason: "the pickle ends without its STOP opcode"
                )
        )
    }

    /// Tuples inside each other, marks, and lists that are put into each other.
    private static let deep: [[UInt8]] = [
        [0x29] + [UInt8](repeating: 0x85, count: 1_000),
        [UInt8](repeating: 0x28, count: 1_001),
        [UInt8](repeating: 0x5D, count: 1_002) + [UInt8](repeating: 0x61, count: 1_001),
    ]

    @Test(arguments: deep)
    func boundsNesting(opcodes: [UInt8]) throws {
        let error = #expect(throws: CheckpointError.self) { try SavedCheckpoint.opening(opcodes: opcodes) }
        guard case .limitExceeded(_, _, "nested collections", 1_000) = error else {
            Issue.record("\(String(describing: error)) was thrown")
            return
        }
        #expect(try #require(error).description.contains("it has more than 1000 nested collections"))
    }

    @Test func allowsNestingUpToTheBound() throws {
        let opcodes = [0x29] + [UInt8](repeating: 0x85, count: 999)
        #expect(try SavedCheckpoint.opening(opcodes: opcodes).root.elements?.count == 1)
    }

    /// Many values, values on the stack, texts, entries of one list, places in the memo, and copies of one list.
    private static let numerous: [[UInt8]] = {
        let set: [UInt8] = [0x63] + Array("builtins\nset\n".utf8) + [0x68, 0, 0x52]
        let dictionary: [UInt8] = [0x63] + Array("collections\nOrderedDict\n".utf8) + [0x68, 0, 0x52]
        let list: [UInt8] = [0x5D, 0x28] + [UInt8](repeating: 0x4E, count: 40) + [0x65, 0x85, 0x71, 0]
        let pairs: [UInt8] = [0x5D, 0x28, 0x4E, 0x4E, 0x86, 0x65, 0x85, 0x71, 0]
        let texts: [UInt8] = (0..<12).flatMap { [0x8C, 1, 0x61 + UInt8($0)] as [UInt8] }
        let places: [UInt8] = (0..<101).flatMap { [0x71, UInt8($0)] as [UInt8] }
        return [
            [UInt8](repeating: 0x7D, count: 101),
            [UInt8](repeating: 0x4E, count: 101),
            texts,
            [0x5D, 0x28] + [UInt8](repeating: 0x4E, count: 101) + [0x65],
            [0x4E] + places,
            list + set + set + set,
            pairs + [[UInt8]](repeating: dictionary, count: 40).joined(),
        ]
    }()

    @Test(arguments: numerous)
    func boundsValues(opcodes: [UInt8]) throws {
        var limits = CheckpointLimits()
        limits.values = 100
        let error = #expect(throws: CheckpointError.self) {
            try SavedCheckpoint.opening(opcodes: opcodes, limits: limits)
        }
        guard case .limitExceeded(_, _, "values", 100) = error else {
            Issue.record("\(String(describing: error)) was thrown")
            return
        }
    }

    @Test func boundsDecodedBytes() throws {
        // One text of 1,000 characters, which is to be decoded 20 times.
        let text: [UInt8] = [0x58] + littleEndian(UInt32(1_000)) + [UInt8](repeating: 0x61, count: 1_000)
        let arguments: [UInt8] = text + [0x8C, 6] + Array("latin1".utf8) + [0x86, 0x71, 0, 0x30]
        let decode: [UInt8] = [0x63] + Array("_codecs\nencode\n".utf8) + [0x68, 0, 0x52]
        let once = try SavedCheckpoint.opening(opcodes: arguments + decode).root
        #expect(once.bytes == [UInt8](repeating: 0x61, count: 1_000))
        let again = (0..<20).flatMap { _ in decode }
        let error = #expect(throws: CheckpointError.self) {
            try SavedCheckpoint.opening(opcodes: arguments + again)
        }
        #expect(try #require(error).description.contains("decodes more bytes than it holds"))
    }

    @Test func quotesNamesSafely() throws {
        let name = "a\u{1B}[31m\u{202E}\n" + String(repeating: "x", count: 200)
        #expect(Excerpt(name).description.hasPrefix("‘a\\u{1b}[31m\\u{202e}\\u{a}xxx"))
        #expect(Excerpt(name).description.hasSuffix("x…’"))
        #expect(Excerpt(name).description.unicodeScalars.count < 160)
        #expect(Excerpt("naïve").description == "‘naïve’")
    }
}
