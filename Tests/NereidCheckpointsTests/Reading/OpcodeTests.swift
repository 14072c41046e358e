// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidCheckpoints

struct OpcodeTests {
    private static let short = littleEndian(UInt32(3)) + Array("abc".utf8)

    @Test(
        arguments: [
            ([0x4E], "None"),
            ([0x88], "True"),
            ([0x89], "False"),
            ([0x4B, 200], "200"),
            ([0x4D, 0x34, 0x12], "4660"),
            ([0x4A, 0xFE, 0xFF, 0xFF, 0xFF], "-2"),
            ([0x8A, 0], "0"),
            ([0x8A, 1, 0x80], "-128"),
            ([0x8A, 2, 0xFF, 0x7F], "32767"),
            ([0x8A, 8, 0, 0, 0, 0, 0, 0, 0, 0x80], "-9223372036854775808"),
            ([0x8B, 3, 0, 0, 0, 0, 0, 0xFF], "-65536"),
            ([0x8A, 9, 0, 0, 0, 0, 0, 0, 0, 0x80, 0], "an integer"),
            ([0x47, 0x3F, 0xF8, 0, 0, 0, 0, 0, 0], "1.5"),
            ([0x58] + short, "‘abc’"),
            ([0x8C, 3, 0x61, 0x62, 0x63], "‘abc’"),
            ([0x8D] + littleEndian(UInt64(3)) + [0x61, 0x62, 0x63], "‘abc’"),
            ([0x54] + short, "‘abc’"),
            ([0x55, 3, 0x61, 0x62, 0x63], "‘abc’"),
            ([0x55, 1, 0xE9], "bytes"),
            ([0x42] + short, "bytes"),
            ([0x43, 2, 0, 255], "bytes"),
            ([0x8E] + littleEndian(UInt64(1)) + [7], "bytes"),
            ([0x96] + littleEndian(UInt64(1)) + [7], "bytes"),
        ] as [([UInt8], String)]
    )
    func makesScalar(opcodes: [UInt8], description: String) throws {
        #expect(try SavedCheckpoint.opening(opcodes: opcodes).root.description == description)
    }

    @Test(
        arguments: [
            ([0x29], "a tuple of 0"),
            ([0x4E, 0x85], "a tuple of 1"),
            ([0x4E, 0x4E, 0x86], "a tuple of 2"),
            ([0x4E, 0x4E, 0x4E, 0x87], "a tuple of 3"),
            ([0x28, 0x4E, 0x4E, 0x4E, 0x4E, 0x74], "a tuple of 4"),
            ([0x5D], "a list of 0"),
            ([0x5D, 0x4E, 0x61], "a list of 1"),
            ([0x5D, 0x28, 0x4E, 0x4E, 0x65], "a list of 2"),
            ([0x28, 0x4E, 0x6C], "a list of 1"),
            ([0x7D], "a dictionary of 0"),
            ([0x7D, 0x4B, 1, 0x4E, 0x73], "a dictionary of 1"),
            ([0x7D, 0x28, 0x4B, 1, 0x4E, 0x4B, 2, 0x4E, 0x75], "a dictionary of 2"),
            ([0x28, 0x4B, 1, 0x4E, 0x64], "a dictionary of 1"),
            ([0x8F], "a set of 0"),
            ([0x8F, 0x28, 0x4B, 1, 0x90], "a set of 1"),
            ([0x28, 0x4B, 1, 0x4B, 2, 0x91], "a set of 2"),
        ] as [([UInt8], String)]
    )
    func makesCollection(opcodes: [UInt8], description: String) throws {
        #expect(try SavedCheckpoint.opening(opcodes: opcodes).root.description == description)
    }

    @Test(
        arguments: [
            // POP of a value and of a mark, POP_MARK, DUP
            ([0x4B, 1, 0x4B, 2, 0x30], "1"),
            ([0x4B, 1, 0x28, 0x30], "1"),
            ([0x4B, 1, 0x28, 0x4B, 2, 0x4B, 3, 0x31], "1"),
            ([0x4B, 1, 0x32, 0x86], "a tuple of 2"),
            // PUT and GET, short and long, MEMOIZE
            ([0x4B, 7, 0x71, 3, 0x30, 0x68, 3], "7"),
            ([0x4B, 7, 0x72, 0xFF, 0xFF, 0xFF, 0xFF, 0x30, 0x6A, 0xFF, 0xFF, 0xFF, 0xFF], "7"),
            ([0x4B, 7, 0x94, 0x4B, 8, 0x94, 0x30, 0x30, 0x68, 1], "8"),
            // FRAME
            ([0x95] + littleEndian(UInt64(2)) + [0x4B, 7], "7"),
            // What lies below the last value is left alone.
            ([0x5D, 0x4B, 7], "7"),
        ] as [([UInt8], String)]
    )
    func handlesStackAndMemo(opcodes: [UInt8], description: String) throws {
        #expect(try SavedCheckpoint.opening(opcodes: opcodes).root.description == description)
    }

    @Test(arguments: [2, 3, 4, 5] as [UInt8])
    func readsProtocol(version: UInt8) throws {
        let saved = SavedCheckpoint(.entries(["a": .integer(1)]), protocolVersion: version)
        #expect(try saved.open().root["a"]?.integer == 1)
    }

    @Test func namesByLinesAndByStack() throws {
        let byLines = try SavedCheckpoint.opening(opcodes: [0x63] + Array("torch\nfloat16\n".utf8))
        #expect(byLines.root.name == PickledName(module: "torch", name: "float16"))
        let byStack = try SavedCheckpoint.opening(opcodes: [0x8C, 1, 0x6D, 0x8C, 1, 0x6E, 0x93])
        #expect(byStack.root.name?.description == "m.n")
        #expect(byStack.names == [PickledName(module: "m", name: "n")])
    }

    @Test func keepsSharedValuesShared() throws {
        let shared = try SavedCheckpoint.opening(opcodes: [0x5D, 0x71, 0, 0x68, 0, 0x86]).root
        #expect(shared[0]?.identity == shared[1]?.identity)
        let equal = try SavedCheckpoint.opening(opcodes: [0x5D, 0x5D, 0x86]).root
        #expect(equal[0]?.identity != equal[1]?.identity)
    }
}

struct ObjectTests {
    private static let system: [UInt8] = [0x63] + Array("os\nsystem\n".utf8)
    private static let text: [UInt8] = [0x8C, 2, 0x6C, 0x73]

    @Test(
        arguments: [
            (system + text + [0x85, 0x52], true),
            (system + text + [0x85, 0x81], false),
            (system + text + [0x85, 0x7D, 0x92], false),
            ([0x28] + text + [0x69] + Array("os\nsystem\n".utf8), true),
            ([0x28] + system + text + [0x6F], true),
        ] as [([UInt8], Bool)]
    )
    func keepsCallInert(opcodes: [UInt8], isCall: Bool) throws {
        let value = try SavedCheckpoint.opening(opcodes: opcodes).root
        let object = try #require(value.object)
        #expect(object.module == "os")
        #expect(object.name == "system")
        #expect(object.isCall == isCall)
        #expect(object.arguments.texts == ["ls"])
        #expect((object.keywordArguments != nil) == opcodes.contains(0x92))
        #expect(value.description == "an object of ‘os.system’")
    }

    @Test func saysOfWhatAnUnnamedMakerIsTheResult() throws {
        // getattr(os, "system")("ls")
        let getattr: [UInt8] = [0x63] + Array("__builtin__\ngetattr\n".utf8) + Self.text + [0x85, 0x52]
        let object = try #require(SavedCheckpoint.opening(opcodes: getattr + Self.text + [0x85, 0x52]).root.object)
        #expect(object.maker == nil)
        #expect(object.module.isEmpty && object.name.isEmpty)
        #expect(object.makerDescription == "what ‘__builtin__.getattr’ returns")
        let twice = try SavedCheckpoint.opening(
            opcodes: getattr + Self.text + [0x85, 0x52] + Self.text + [0x85, 0x52]
        )
        #expect(twice.root.object?.makerDescription == "what a call returns")
        let nothing = try SavedCheckpoint.opening(opcodes: [0x4B, 1, 0x29, 0x52])
        #expect(nothing.root.object?.makerDescription == "something that is not a class")
    }

    @Test func doesNotTakeDottedNamesApart() throws {
        let object = try SavedCheckpoint(.call("torch", "_utils._rebuild_tensor_v2", [])).open().root.object
        #expect(object?.maker == PickledName(module: "torch", name: "_utils._rebuild_tensor_v2"))
    }

    @Test func givesAttributes() throws {
        let maker = Pickled.name("models.common", "Conv")
        let module = try SavedCheckpoint(
            .instance(maker, state: .entries(["training": .boolean(false), "i": .integer(3)]))
        ).open().root
        #expect(module.kind == .object)
        #expect(module.object?.isCall == false)
        #expect(module.attribute("i")?.integer == 3)
        #expect(module.object?.attribute("training")?.boolean == false)
        #expect(module.attribute("absent") == nil)

        let slotted = try SavedCheckpoint(
            .instance(maker, state: .tuple([.entries(["a": .integer(1)]), .entries(["b": .integer(2)])]))
        ).open().root
        #expect(slotted.attribute("a")?.integer == 1)
        #expect(slotted.object?.attribute("b")?.integer == 2)
    }

    @Test func keepsWhatIsPutIntoObjects() throws {
        let maker: [UInt8] = [0x63] + Array("m\nC\n".utf8) + [0x29, 0x81]
        let object = try SavedCheckpoint.opening(
            opcodes: maker + [0x4B, 1, 0x61, 0x28, 0x4B, 2, 0x65] + Self.text + [0x4B, 3, 0x73]
        ).root.object
        #expect(object?.elements?.map(\.integer) == [1, 2])
        #expect(object?.entries?.first?.key.text == "ls")
        #expect(object?.entries?.first?.value.integer == 3)
    }
}
