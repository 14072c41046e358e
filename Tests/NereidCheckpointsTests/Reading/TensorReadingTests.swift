// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidCheckpoints
import Testing

struct TensorReadingTests {
    private func opened(_ value: Pickled, limits: CheckpointLimits = CheckpointLimits()) throws -> TensorReference {
        try #require(SavedCheckpoint(value).open(limits: limits).root.tensor)
    }

    @Test(
        arguments: [
            ("HalfStorage", littleEndian(Float16(1.5).bitPattern) + littleEndian(Float16(-2).bitPattern), [1.5, -2]),
            ("BFloat16Storage", [0xC0, 0x3F, 0x00, 0xC0], [1.5, -2]),
            ("FloatStorage", littleEndian(Float(1.5).bitPattern) + littleEndian(Float(-2).bitPattern), [1.5, -2]),
            ("DoubleStorage", littleEndian(1.5.bitPattern) + littleEndian((-2.0).bitPattern), [1.5, -2]),
            ("ByteStorage", [3, 254], [3, 254]), ("CharStorage", [3, 254], [3, -2]),
            ("ShortStorage", littleEndian(Int16(3)) + littleEndian(Int16(-2)), [3, -2]),
            ("IntStorage", littleEndian(Int32(3)) + littleEndian(Int32(-2)), [3, -2]),
            ("LongStorage", littleEndian(3) + littleEndian(-2), [3, -2]), ("BoolStorage", [0, 1], [0, 1]),
        ] as [(String, [UInt8], [Float])]
    )
    func readsElements(className: String, bytes: [UInt8], expected: [Float]) throws {
        let storage = SavedStorage(key: "0", className, count: 2, bytes: bytes)
        let tensor = try opened(.tensor(storage, shape: [2]))
        #expect(try tensor.floats() == expected)
        #expect(try tensor.doubles() == expected.map(Double.init))
        #expect(try tensor.bytes() == bytes)
        #expect(tensor.elementType.byteCount * 2 == bytes.count)
        if ["HalfStorage", "BFloat16Storage", "FloatStorage", "DoubleStorage"].contains(className) {
            #expect(throws: CheckpointError.self) { try tensor.integers() }
        } else {
            #expect(try tensor.integers() == expected.map { Int64($0) })
        }
    }

    @Test(
        arguments: [
            ("uint16", littleEndian(UInt16(65_535)), 65_535), ("uint32", littleEndian(UInt32.max), 4_294_967_296),
            ("uint64", littleEndian(UInt64(7)), 7), ("int8", [0xFF], -1), ("half", [0, 0x3C], 1),
            ("bfloat16", [0x80, 0x3F], 1), ("bool", [1], 1),
        ] as [(String, [UInt8], Float)]
    )
    func readsTensorThatNamesItsType(name: String, bytes: [UInt8], expected: Float) throws {
        let storage = SavedStorage(
            key: "0",
            module: "torch.storage",
            "UntypedStorage",
            count: bytes.count,
            bytes: bytes
        )
        let tensor = try opened(.typedTensor(storage, .name("torch", name)))
        #expect(try tensor.floats() == [expected])
    }

    @Test func refusesUnknownTypes() throws {
        let storage = SavedStorage(key: "0", module: "torch.storage", "UntypedStorage", count: 1, bytes: [0])
        for type in [Pickled.name("torch", "float8_e4m3fn"), .name("os", "int8"), .name("torch", "boolean")] {
            let error = #expect(throws: CheckpointError.self) { try opened(.typedTensor(storage, type)) }
            #expect(try #require(error).description.contains("a tensor has elements of"))
        }
        let error = #expect(throws: CheckpointError.self) { try opened(.typedTensor(storage, .integer(1))) }
        #expect(try #require(error).description.contains("a tensor's type of element is an integer"))
        for (module, name) in [("torch", "FooStorage"), ("os", "FloatStorage"), ("torch.storage", "FloatStorage")] {
            let storage = SavedStorage(key: "0", module: module, name, count: 1, bytes: [0, 0, 0, 0])
            let error = #expect(throws: CheckpointError.self) { try opened(.tensor(storage, shape: [1])) }
            #expect(
                try #require(error).description.contains("a storage of the class ‘\(module).\(name)’ is not known")
            )
        }
    }

    @Test func readsComplexNumbersAsBytesOnly() throws {
        let bytes = [UInt8](0..<32)
        let storage = SavedStorage(key: "0", "ComplexFloatStorage", count: 4, bytes: bytes)
        let tensor = try opened(.tensor(storage, shape: [2, 2], strides: [1, 2]))
        #expect(try tensor.bytes() == Array(bytes[0..<8] + bytes[16..<24] + bytes[8..<16] + bytes[24..<32]))
        let error = #expect(throws: CheckpointError.self) { try tensor.floats() }
        #expect(
            try #require(error).description == """
                a tensor of checkpoint ‘test.pt’, complex64[2,2], cannot be read: complex numbers have no place in a \
                network that is served
                """
        )
        let wide = SavedStorage(key: "0", "ComplexDoubleStorage", count: 2, bytes: bytes)
        #expect(try opened(.tensor(wide, shape: [2], strides: [1])).bytes() == bytes)
    }

    @Test(
        arguments: [
            ([2, 3], [3, 1], 0, [0, 1, 2, 3, 4, 5], true),
            // transposed, sliced, every second, expanded, a single number, nothing
            ([3, 2], [1, 3], 0, [0, 3, 1, 4, 2, 5], false),
            ([2, 2], [3, 1], 1, [1, 2, 4, 5], false),
            ([3], [1], 3, [3, 4, 5], true),
            ([3], [2], 1, [1, 3, 5], false),
            ([2, 3], [0, 1], 0, [0, 1, 2, 0, 1, 2], false),
            ([2, 2, 2], [0, 1, 0], 4, [4, 4, 5, 5, 4, 4, 5, 5], false),
            ([], [], 5, [5], true),
            ([1, 1, 2], [99, 77, 1], 4, [4, 5], true),
            ([2, 0, 3], [3, 3, 1], 0, [], true),
            ([0], [1], 6, [], true),
            ([3, 1, 2], [2, 9, 1], 0, [0, 1, 2, 3, 4, 5], true),
            // The stride of a single step is never taken.
            ([1, 2], [.max, 3], 1, [1, 4], false),
            ([2, 1, 2], [1, .max, 3], 1, [1, 4, 2, 5], false),
        ] as [([Int], [Int], Int, [Float], Bool)]
    )
    func readsView(shape: [Int], strides: [Int], offset: Int, expected: [Float], isContiguous: Bool) throws {
        let storage = SavedStorage(floats: [0, 1, 2, 3, 4, 5])
        let tensor = try opened(.tensor(storage, shape: shape, strides: strides, offset: offset))
        #expect(tensor.shape == shape)
        #expect(tensor.strides == strides)
        #expect(tensor.offset == offset)
        #expect(tensor.count == expected.count)
        #expect(tensor.isContiguous == isContiguous)
        #expect(try tensor.floats() == expected)
        let bytes = expected.flatMap { littleEndian($0.bitPattern) }
        #expect(try tensor.bytes() == bytes)
        let inPlace = try tensor.withContiguousBytes { span throws(CheckpointError) in
            span.withUnsafeBytes { Array($0) }
        }
        #expect(inPlace == (isContiguous ? bytes : nil))
    }

    @Test(
        arguments: [
            ([2, 3], [3, 1], 1, "goes beyond its storage of 6 elements"),
            ([7], [1], 0, "goes beyond its storage of 6 elements"),
            ([2], [Int.max], 0, "goes beyond its storage"),
            ([3], [Int.max], 0, "goes beyond its storage"),
            ([2, 2], [Int.max - 1, Int.max - 1], 0, "goes beyond its storage"),
            ([2], [-1], 1, "runs backwards"), ([-1], [1], 0, "runs backwards"),
            ([Int.min], [1], 0, "runs backwards"),
            ([1], [1], -1, "a tensor starts at element -1 of a storage that has 6"),
            ([1], [1], 7, "a tensor starts at element 7"), ([1], [1], .max, "a tensor starts at element"),
            ([1 << 33, 1 << 33], [0, 0], 0, "has more elements than can be counted"),
            ([0, .max, .max], [0, 0, 0], 0, "has more elements than can be counted"),
            ([1], [1, 1], 0, "a tensor has 1 dimensions and 2 strides"),
        ] as [([Int], [Int], Int, String)]
    )
    func refusesView(shape: [Int], strides: [Int], offset: Int, message: String) throws {
        let storage = SavedStorage(floats: [0, 1, 2, 3, 4, 5])
        let error = #expect(throws: CheckpointError.self) {
            try opened(.tensor(storage, shape: shape, strides: strides, offset: offset))
        }
        guard case .damaged(_, let place, let reason) = error else {
            Issue.record("\(String(describing: error)) was thrown")
            return
        }
        #expect(place.part == "archive/data.pkl")
        #expect(reason.contains(message))
    }

    @Test func boundsRepetition() throws {
        var limits = CheckpointLimits()
        limits.repeatedElements = 10
        let storage = SavedStorage(floats: [1, 2, 3, 4])
        #expect(try opened(.tensor(storage, shape: [14], strides: [0]), limits: limits).floats().count == 14)
        let tensor = try opened(.tensor(storage, shape: [15], strides: [0]), limits: limits)
        let error = #expect(throws: CheckpointError.self) { try tensor.floats() }
        #expect(try #require(error).description.contains("it repeats 4 stored elements until they are 15"))
    }

    @Test func boundsDimensions() throws {
        let ones = [Int](repeating: 1, count: 65)
        let error = #expect(throws: CheckpointError.self) {
            try opened(.tensor(SavedStorage(floats: [1]), shape: ones, strides: ones))
        }
        #expect(try #require(error).description.contains("it has more than 64 dimensions in a tensor"))
    }

    @Test func readsParametersAsTheirTensors() throws {
        let tensor = Pickled.tensor(SavedStorage(floats: [1, 2]), shape: [2])
        let parameters: [Pickled] = [
            .call("torch._utils", "_rebuild_parameter", [tensor, .boolean(true), .orderedDictionary]),
            .call(
                "torch._utils",
                "_rebuild_parameter_with_state",
                [tensor, .boolean(true), .orderedDictionary, .entries(["a": .none])]
            ),
            .call("torch.nn.parameter", "Parameter", [tensor]),
            .built(tensor, state: .entries(["a": .none])),
            .call(
                "torch._tensor",
                "_rebuild_from_type_v2",
                [
                    .name("torch._utils", "_rebuild_tensor"), .name("torch", "Tensor"),
                    .tuple([.storage(SavedStorage(floats: [1, 2])), .integer(0), .integers([2]), .integers([1])]),
                    .entries(["a": .none]),
                ]
            ),
        ]
        for parameter in parameters { #expect(try opened(parameter).floats() == [1, 2]) }
    }

    @Test func tellsSharedStorages() throws {
        let storage = SavedStorage(floats: [1, 2, 3, 4])
        let other = SavedStorage(key: "1", floats: [5])
        let root = try SavedCheckpoint(
            .list([
                .tensor(storage, shape: [2]), .tensor(storage, shape: [2], offset: 2), .tensor(other, shape: [1]),
            ])
        ).open().root
        let tensors = try #require(root.elements).compactMap(\.tensor)
        #expect(tensors[0].storageIdentity == tensors[1].storageIdentity)
        #expect(tensors[0].storageIdentity != tensors[2].storageIdentity)
        #expect(tensors[0].storageByteCount == 16)
        #expect(try tensors[1].floats() == [3, 4])
    }

    @Test func refusesStorages() throws {
        var storage = SavedStorage(floats: [1, 2])
        storage.count = 3
        let short = #expect(throws: CheckpointError.self) { try opened(.tensor(storage, shape: [2])) }
        #expect(try #require(short).description.contains("storage ‘0’ is said to have 12 bytes, but has 8"))
        storage.count = Int.max / 2
        let overflow = #expect(throws: CheckpointError.self) { try opened(.tensor(storage, shape: [2])) }
        #expect(try #require(overflow).description.contains("elements does not fit into memory"))
        storage.count = -1
        let negative = #expect(throws: CheckpointError.self) { try opened(.tensor(storage, shape: [2])) }
        #expect(try #require(negative).description.contains("not as a tensor's storage is named"))
    }

    @Test(
        arguments: [
            [], [.integer(1)], [.integer(1), .integer(0), .integers([1]), .integers([1])],
            [.storage(SavedStorage(floats: [1])), .none, .integers([1]), .integers([1])],
            [.storage(SavedStorage(floats: [1])), .integer(0), .integer(1), .integers([1])],
            [.storage(SavedStorage(floats: [1])), .integer(0), .tuple([.text("1")]), .integers([1])],
        ] as [[Pickled]]
    )
    func refusesArguments(arguments: [Pickled]) throws {
        let error = #expect(throws: CheckpointError.self) {
            try SavedCheckpoint(.call("torch._utils", "_rebuild_tensor_v2", arguments)).open()
        }
        #expect(try #require(error).description.contains("a tensor"))
    }
}

extension Pickled {
    /// `_rebuild_tensor_v3` of one element.
    static func typedTensor(_ storage: SavedStorage, _ type: Pickled) -> Pickled {
        .call(
            "torch._utils",
            "_rebuild_tensor_v3",
            [
                .storage(storage), .integer(0), .integers([1]), .integers([1]), .boolean(false), orderedDictionary,
                type,
            ]
        )
    }
}
