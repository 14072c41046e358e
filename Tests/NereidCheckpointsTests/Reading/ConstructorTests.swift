// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidCheckpoints
import Testing

struct ConstructorTests {
    private func opened(_ value: Pickled, encodesBytes: Bool = false) throws -> CheckpointValue {
        var saved = SavedCheckpoint(.none)
        saved.pickle = PickleWriter()
        saved.pickle.encodesBytes = encodesBytes
        saved.pickle.write(value)
        saved.pickle.write(opcodes: [0x2E])
        return try saved.open().root
    }

    @Test func readsDictionariesOfTheStandardLibrary() throws {
        let pairs = Pickled.list([
            .tuple([.text("a"), .integer(1)]), .list([.text("b"), .integer(2)]), .tuple([.text("a"), .integer(3)]),
        ])
        let ordered = try opened(.call("collections", "OrderedDict", [pairs]))
        #expect(ordered.entries?.map(\.key.text) == ["a", "b"])
        #expect(ordered["a"]?.integer == 3)
        #expect(try opened(.orderedDictionary).entries?.isEmpty == true)
        let counts = try opened(.call("collections", "defaultdict", [.name("__builtin__", "int")]))
        #expect(counts.entries?.isEmpty == true)
        // Not a list of pairs: left as it is.
        #expect(try opened(.call("collections", "OrderedDict", [.list([.integer(1)])])).kind == .object)
    }

    @Test func readsAttributesOfDictionary() throws {
        let value = try opened(.built(.orderedDictionary, state: .entries(["_metadata": .integer(1)])))
        #expect(value.kind == .dictionary)
        #expect(value.attribute("_metadata")?.integer == 1)
        #expect(value["_metadata"] == nil)
    }

    @Test(arguments: ["set", "frozenset"], ["__builtin__", "builtins"])
    func readsSet(name: String, module: String) throws {
        let value = try opened(.call(module, name, [.list([.text("a"), .text("b")])]))
        #expect(value.kind == .set)
        #expect(value.texts == ["a", "b"])
        #expect(try opened(.call(module, name, [])).elements?.isEmpty == true)
    }

    @Test func readsSizesDevicesPathsAndComplexNumbers() throws {
        #expect(try opened(.call("torch", "Size", [.integers([1, 3])])).integers == [1, 3])
        #expect(try opened(.call("torch", "device", [.text("cuda"), .integer(1)])).text == "cuda:1")
        #expect(try opened(.call("torch", "device", [.text("cpu")])).text == "cpu")
        #expect(try opened(.call("pathlib", "PosixPath", [.text("/"), .text("a"), .text("b.pt")])).text == "/a/b.pt")
        #expect(try opened(.call("pathlib._local", "WindowsPath", [.text("C:"), .text("b")])).text == "C:/b")
        let complex = try #require(opened(.call("builtins", "complex", [.real(1), .integer(2)])).complex)
        #expect(complex == (1, 2))
    }

    @Test func readsBytes() throws {
        let content: [UInt8] = [0, 1, 127, 128, 255]
        #expect(try opened(.bytes(content)).bytes == content)
        #expect(try opened(.bytes(content), encodesBytes: true).bytes == content)
        #expect(try opened(.call("__builtin__", "bytearray", [.text("é"), .text("latin-1")])).bytes == [0xE9])
        #expect(try opened(.call("builtins", "bytearray", [.bytes(content)])).bytes == content)
        #expect(try opened(.call("__builtin__", "bytes", [])).bytes == [])
        #expect(try opened(.call("_codecs", "encode", [.text("a"), .text("rot13")])).kind == .object)
        #expect(throws: CheckpointError.self) {
            try opened(.call("_codecs", "encode", [.text("€"), .text("latin1")]))
        }
    }

    @Test func readsInstanceOfOldStyle() throws {
        let value = try opened(
            .built(
                .call("copy_reg", "_reconstructor", [.name("m", "C"), .name("__builtin__", "object"), .none]),
                state: .entries(["a": .integer(1)])
            )
        )
        #expect(value.object?.maker?.description == "m.C")
        #expect(value.object?.isCall == false)
        #expect(value.attribute("a")?.integer == 1)
    }

    @Test(
        arguments: [
            ("f8", littleEndian(1.5.bitPattern), "1.5"), ("f4", littleEndian(Float(-2).bitPattern), "-2.0"),
            ("f2", littleEndian(Float16(0.5).bitPattern), "0.5"), ("i8", littleEndian(-5), "-5"),
            ("i4", littleEndian(Int32(-5)), "-5"), ("i2", littleEndian(Int16(-5)), "-5"), ("i1", [0xFB], "-5"),
            ("u1", [0xFB], "251"), ("u2", littleEndian(UInt16(65_535)), "65535"),
            ("u4", littleEndian(UInt32.max), "4294967295"), ("u8", littleEndian(UInt64(7)), "7"),
            ("b1", [1], "True"), ("b1", [0], "False"),
            ("u8", littleEndian(UInt64.max), "an object of ‘numpy.core.multiarray.scalar’"),
            ("O8", [0], "an object of ‘numpy.core.multiarray.scalar’"),
        ] as [(String, [UInt8], String)]
    )
    func readsArrayScalar(code: String, bytes: [UInt8], description: String) throws {
        let value = Pickled.call("numpy.core.multiarray", "scalar", [.arrayType(code), .bytes(bytes)])
        #expect(try opened(value).description == description)
        #expect(try opened(value, encodesBytes: true).description == description)
    }

    @Test func readsBigEndianScalar() throws {
        let value = Pickled.call(
            "numpy._core.multiarray",
            "scalar",
            [.arrayType("i4", order: ">"), .bytes([0, 0, 1, 2])]
        )
        #expect(try opened(value).integer == 258)
    }

    @Test(arguments: ["numpy.core.multiarray", "numpy._core.multiarray"], [false, true])
    func readsArray(module: String, encodesBytes: Bool) throws {
        let numbers: [Float] = [1, 2, 3, 4, 5, 6]
        let bytes = numbers.flatMap { littleEndian($0.bitPattern) }
        let value = try opened(.array(module: module, "f4", shape: [2, 3], bytes: bytes), encodesBytes: encodesBytes)
        let tensor = try #require(value.tensor)
        #expect(tensor.description == "float32[2,3]")
        #expect(try tensor.floats() == numbers)
        let turned = try opened(.array(module: module, "f4", shape: [2, 3], bytes: bytes, isFortran: true))
        #expect(try turned.tensor?.floats() == [1, 3, 5, 2, 4, 6])
    }

    @Test func readsArrayOfProtocol5() throws {
        let value = Pickled.call(
            "numpy._core.numeric",
            "_frombuffer",
            [.bytes([1, 0, 2, 0]), .arrayType("i2"), .integers([2]), .text("C")]
        )
        #expect(try opened(value).tensor?.integers() == [1, 2])
    }

    @Test func readsArrayOfPython2() throws {
        // Raw data as a string, once in ASCII and once not.
        for (data, expected) in [([65, 66], [65, 66]), ([65, 200], [65, 200])] as [([UInt8], [Int64])] {
            let value = Pickled.built(
                .call(
                    "numpy.core.multiarray",
                    "_reconstruct",
                    [.name("numpy", "ndarray"), .integers([0]), .text("b")]
                ),
                state: .tuple([
                    .integer(1), .integers([2]), .arrayType("u1", order: "|"), .boolean(false),
                    .opcodes([0x55, 2] + data),
                ])
            )
            #expect(try opened(value).tensor?.integers() == expected)
        }
    }

    @Test func readsArrayOfObjectsInOneDimension() throws {
        let value = try opened(.array(module: "numpy.core.multiarray", "O8", shape: [1], data: .list([.none])))
        #expect(value.elements?.count == 1)
        for shape in [[2], [1, 1], []] {
            let other = try opened(.array(module: "numpy.core.multiarray", "O8", shape: shape, data: .list([.none])))
            #expect(other.object?.maker?.name == "_reconstruct")
        }
    }

    @Test func readsStrings() throws {
        func scalar(_ type: Pickled, _ bytes: [UInt8]) throws -> CheckpointValue {
            try opened(.call("numpy.core.multiarray", "scalar", [type, .bytes(bytes)]))
        }
        #expect(try scalar(.arrayType("U2"), [0xE9, 0, 0, 0, 0, 0, 0, 0]).text == "é")
        #expect(try scalar(.arrayType("U2", order: ">"), [0, 0, 0, 0xE9, 0, 1, 0xF4, 0x1F]).text == "é🐟")
        #expect(try scalar(.arrayType("U1"), [0, 0, 0, 0]).text == "")
        #expect(try scalar(.arrayType("S3", order: "|"), [97, 0, 0]).bytes == [97])
        // Half a surrogate pair, too few bytes, two strings, no length.
        for (code, bytes) in [
            ("U1", [0, 0xD8, 0, 0]), ("U2", [97, 0, 0, 0]), ("U1", [97, 0, 0, 0, 98, 0, 0, 0]), ("U0", []), ("U", [97]),
        ] as [(String, [UInt8])] {
            #expect(try scalar(.arrayType(code), bytes).object != nil)
        }
    }

    @Test func countsTheBytesOfStrings() throws {
        // One string of 4000 bytes, and the same bytes read a thousand times through the memo.
        let type = Pickled.arrayType("U1000")
        var opcodes: [UInt8] = [0x5D, 0x28]
        var writer = PickleWriter()
        writer.write(.bytes([UInt8](repeating: 0, count: 4000)))
        let bytes = Array(writer.bytes.dropFirst(2))
        writer = PickleWriter()
        writer.write(type)
        let typeBytes = Array(writer.bytes.dropFirst(2))
        // Both are put into the memo and taken off the stack.
        opcodes = bytes + [0x71, 0, 0x30] + typeBytes + [0x71, 1, 0x30] + opcodes
        for _ in 0..<1000 {
            opcodes += Array("cnumpy.core.multiarray\nscalar\n".utf8) + [0x68, 1, 0x68, 0, 0x86, 0x52]
        }
        opcodes += [0x65]
        let error = #expect(throws: CheckpointError.self) { try opened(.opcodes(opcodes)) }
        #expect(error?.description.contains("decodes more bytes than it holds") == true)
    }

    @Test(
        arguments: [
            ([2, 2], [UInt8](repeating: 0, count: 15), "<", "an array of the shape [2, 2] is given 15 bytes"),
            ([1 << 40, 1 << 40], [], "<", "does not fit into memory"),
            ([-1], [0, 0, 0, 0], "<", "an array of the shape [-1] is given 4 bytes"),
            ([1], [0, 0, 0, 0], ">", "an array of numbers in big-endian order"),
        ] as [([Int], [UInt8], String, String)]
    )
    func refusesArray(shape: [Int], bytes: [UInt8], order: String, message: String) throws {
        let error = #expect(throws: CheckpointError.self) {
            try opened(
                .array(module: "numpy.core.multiarray", "f4", order: order, shape: shape, data: .bytes(bytes))
            )
        }
        #expect(try #require(error).description.contains(message))
    }
}

extension Pickled {
    static func arrayType(_ code: String, order: String = "<") -> Pickled {
        .built(
            .call("numpy", "dtype", [.text(code), .boolean(false), .boolean(true)]),
            state: .tuple([
                .integer(3), .text(order), .none, .none, .none, .integer(-1), .integer(-1), .integer(0),
            ])
        )
    }

    static func array(
        module: String,
        _ code: String,
        shape: [Int],
        bytes: [UInt8],
        isFortran: Bool = false
    ) -> Pickled {
        array(module: module, code, shape: shape, data: .bytes(bytes), isFortran: isFortran)
    }

    static func array(
        module: String,
        _ code: String,
        order: String = "<",
        shape: [Int],
        data: Pickled,
        isFortran: Bool = false
    ) -> Pickled {
        .built(
            .call(module, "_reconstruct", [.name("numpy", "ndarray"), .integers([0]), .bytes([0x62])]),
            state: .tuple([
                .integer(1), .integers(shape), .arrayType(code, order: order), .boolean(isFortran), data,
            ])
        )
    }
}
