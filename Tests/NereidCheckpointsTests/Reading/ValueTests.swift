// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidCheckpoints
import Testing

struct ValueTests {
    @Test func answersNilForAnotherKind() throws {
        let root = try SavedCheckpoint(
            .list([
                .none, .boolean(true), .integer(3), .real(0.5), .text("a"), .bytes([1]), .tuple([]), .list([]),
                .dictionary([]), .name("m", "n"), .call("m", "n", []),
                .tensor(SavedStorage(floats: [1]), shape: [1]), .storage(SavedStorage(floats: [1])),
                .call("builtins", "set", []), .call("builtins", "complex", [.real(1), .real(2)]),
            ])
        ).open().root
        let kinds: [CheckpointValue.Kind] = [
            .none, .boolean, .integer, .real, .text, .bytes, .tuple, .list, .dictionary, .name, .object, .tensor,
            .storage, .set, .complex,
        ]
        let elements = try #require(root.elements)
        #expect(elements.map(\.kind) == kinds)
        for value in elements {
            #expect(value.isNone == (value.kind == .none))
            #expect((value.boolean != nil) == (value.kind == .boolean))
            #expect((value.integer != nil) == (value.kind == .integer))
            #expect((value.double != nil) == [.integer, .real].contains(value.kind))
            #expect((value.text != nil) == (value.kind == .text))
            #expect((value.bytes != nil) == (value.kind == .bytes))
            #expect((value.elements != nil) == [.tuple, .list, .set].contains(value.kind))
            #expect((value.entries != nil) == (value.kind == .dictionary))
            #expect((value.name != nil) == (value.kind == .name))
            #expect((value.object != nil) == (value.kind == .object))
            #expect((value.tensor != nil) == (value.kind == .tensor))
            #expect((value.complex != nil) == (value.kind == .complex))
            #expect(value["a"] == nil)
            #expect(value[0] == nil)
            #expect(value[-1] == nil)
            #expect(value.attribute("a") == nil)
        }
        #expect(elements.map(\.description).prefix(5) == ["None", "True", "3", "0.5", "‘a’"])
        #expect(elements.map(\.description).suffix(4) == ["float32[1]", "a storage", "a set of 0", "a complex number"])
    }

    @Test func looksUpKeys() throws {
        // More entries than are looked through one by one, keys of several kinds, a key that is set twice.
        var entries: [(Pickled, Pickled)] = (0..<50).map { (.integer($0), .integer($0 * 2)) }
        entries += (0..<50).map { (.text("k\($0)"), .integer($0 * 3)) }
        entries += [(.integer(7), .text("later")), (.boolean(true), .text("one")), (.tuple([]), .text("tuple"))]
        let root = try SavedCheckpoint(.dictionary(entries)).open().root
        #expect(root.entries?.count == 101)
        #expect(root[8]?.integer == 16)
        #expect(root[7]?.text == "later")
        // As in Python, True is 1.
        #expect(root[1]?.text == "one")
        #expect(root["k49"]?.integer == 147)
        #expect(root["k50"] == nil)
        #expect(root[50] == nil)
        #expect(root.entries?[7].key.integer == 7)
        #expect(root.entries?.last?.key.kind == .tuple)
    }

    @Test func tellsApartTextsThatOnlyLookTheSame() throws {
        let composed = "caf\u{E9}"
        let decomposed = "cafe\u{301}"
        let root = try SavedCheckpoint(
            .dictionary([(.text(composed), .integer(1)), (.text(decomposed), .integer(2))])
        ).open().root
        #expect(root.entries?.count == 2)
        #expect(root[composed]?.integer == 1)
        #expect(root[decomposed]?.integer == 2)
    }

    @Test func readsListsOfOneKind() throws {
        let root = try SavedCheckpoint(
            .list([
                .integers([3, 3]), .list([.real(0.5), .integer(1)]), .list([.text("a"), .text("b")]),
                .list([.integer(1), .text("a")]),
            ])
        ).open().root
        #expect(root[0]?.integers == [3, 3])
        #expect(root[1]?.doubles == [0.5, 1])
        #expect(root[1]?.integers == nil)
        #expect(root[2]?.texts == ["a", "b"])
        #expect(root[3]?.integers == nil)
        #expect(root[3]?.texts == nil)
    }
}

struct WalkingTests {
    /// Lists that each hold the one before twice: 2^60 leaves when walked without memory.
    private static let laughs: [UInt8] =
        [0x5D, 0x71, 0] + (0..<60).flatMap { [0x5D, 0x28, 0x68, $0, 0x68, $0, 0x65, 0x71, $0 + 1] as [UInt8] }

    @Test func visitsSharedValuesOnce() throws {
        let root = try SavedCheckpoint.opening(opcodes: Self.laughs).root
        var count = 0
        root.forEachDescendant { _ in count += 1 }
        #expect(count == 61)
        try root.checkNesting(atMost: 60)
        let error = #expect(throws: CheckpointError.self) { try root.checkNesting(atMost: 59) }
        #expect(try #require(error).description.contains("more than 59 nested collections"))
    }

    @Test(
        arguments: [
            // a list in itself; a dictionary in its own value's list; an object in its own state
            [0x5D, 0x71, 0, 0x68, 0, 0x61],
            [0x7D, 0x71, 0, 0x4B, 1, 0x5D, 0x68, 0, 0x61, 0x73],
            [0x63] + Array("m\nC\n".utf8) + [0x29, 0x81, 0x71, 0, 0x68, 0, 0x62],
        ] as [[UInt8]]
    )
    func findsCycles(opcodes: [UInt8]) throws {
        let root = try SavedCheckpoint.opening(opcodes: opcodes).root
        var count = 0
        root.forEachDescendant { _ in count += 1 }
        #expect(count < 6)
        let error = #expect(throws: CheckpointError.self) { try root.checkNesting(atMost: 100) }
        #expect(try #require(error).description.contains("contains itself"))
    }

    @Test func visitsEveryPart() throws {
        let root = try SavedCheckpoint(
            .instance(
                .name("m", "C"),
                state: .entries(["a": .tuple([.text("x")]), "b": .built(.orderedDictionary, state: .text("y"))])
            )
        ).open().root
        var texts: Set<String> = []
        var names = 0
        root.forEachDescendant { value in
            if let text = value.text { texts.insert(text) }
            if value.kind == .name { names += 1 }
        }
        #expect(texts == ["a", "b", "x", "y"])
        #expect(names == 1)
        try root.checkNesting(atMost: 3)
        #expect(throws: CheckpointError.self) { try root.checkNesting(atMost: 2) }
    }

    @Test func findsDepthThatWasMadeAfterNesting() throws {
        // Each list is put into the one before while it is still empty: none is deep when it is made.
        let step: [UInt8] = [0x5D, 0x71, 1, 0x61, 0x30, 0x68, 1]
        let opcodes: [UInt8] = [0x5D, 0x32] + [[UInt8]](repeating: step, count: 5_000).joined() + [0x30]
        let root = try SavedCheckpoint.opening(opcodes: opcodes).root
        var count = 0
        root.forEachDescendant { _ in count += 1 }
        #expect(count == 5_001)
        let error = #expect(throws: CheckpointError.self) { try root.checkNesting(atMost: 1_000) }
        #expect(try #require(error).description.contains("more than 1000 nested collections"))
    }
}
