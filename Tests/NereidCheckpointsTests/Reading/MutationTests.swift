// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NereidCheckpoints
import TestSupport
import Testing

/// Damaged checkpoints in great number: each is read or refused, and none traps.
struct MutationTests {
    @Test(arguments: SeedCheckpoints.all.map(\.name))
    func survivesMutation(name: String) throws {
        let seed = try #require(SeedCheckpoints.all.first { $0.name == name }).contents
        var generator = SeededGenerator(seed: 33_000 + UInt64(seed.count))
        var refused = 0
        for _ in 0..<600 {
            let mutated = Self.mutated(seed, &generator)
            do {
                try Self.readAll(Checkpoint(contents: mutated, name: name))
            } catch is CheckpointError {
                refused += 1
            }
        }
        #expect(refused > 100)
    }

    @Test(arguments: SeedCheckpoints.all.map(\.name))
    func readsSeed(name: String) throws {
        let seed = try #require(SeedCheckpoints.all.first { $0.name == name }).contents
        let checkpoint = try Checkpoint(contents: seed, name: name)
        try Self.readAll(checkpoint)
        try checkpoint.root.checkNesting(atMost: 20)
    }

    /// The fuzzer's corpus is what the writer writes: run with NEREID_WRITE_FUZZ_CORPUS=1 after a change to it.
    @Test func fuzzCorpusIsUpToDate() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Fuzz/corpus")
        for (name, contents) in SeedCheckpoints.all {
            let url = folder.appendingPathComponent(name)
            if ProcessInfo.processInfo.environment["NEREID_WRITE_FUZZ_CORPUS"] == "1" {
                try Data(contents).write(to: url)
            }
            #expect(try Data(contentsOf: url) == Data(contents), "\(name)")
        }
    }

    /// Uses everything that a reader of checkpoints uses.
    private static func readAll(_ checkpoint: Checkpoint) throws {
        checkpoint.root.forEachDescendant { value in
            _ = value.description
            _ = value["a"]
            _ = value[0]
            _ = value.attribute("training")
            _ = value.bytes
            if let tensor = value.tensor {
                _ = try? tensor.floats()
                _ = try? tensor.integers()
                _ = try? tensor.bytes()
            }
        }
        _ = try? checkpoint.root.checkNesting(atMost: 50)
    }

    /// Changes one to four places: a byte, a bit, a number of two, four or eight bytes, bytes left out, put in or
    /// repeated, the end cut off.
    private static func mutated(_ seed: [UInt8], _ generator: inout SeededGenerator) -> [UInt8] {
        var bytes = seed
        for _ in 0..<Int.random(in: 1...4, using: &generator) where !bytes.isEmpty {
            let position = Int.random(in: 0..<bytes.count, using: &generator)
            switch Int.random(in: 0..<8, using: &generator) {
            case 0: bytes[position] = .random(in: 0...255, using: &generator)
            case 1: bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            case 2, 3:
                let extremes: [UInt64] = [0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0xFFFF_FFFF, 1 << 63, .max]
                let value = littleEndian(extremes.randomElement(using: &generator)!)
                let width = [2, 4, 8].randomElement(using: &generator)!
                for (offset, byte) in value.prefix(width).enumerated() where position + offset < bytes.count {
                    bytes[position + offset] = byte
                }
            case 4: bytes.removeSubrange(position..<min(bytes.count, position + 4))
            case 5: bytes.insert(.random(in: 0...255, using: &generator), at: position)
            case 6: bytes.insert(contentsOf: bytes[position..<min(bytes.count, position + 16)], at: position)
            default: bytes.removeSubrange(position...)
            }
        }
        return bytes
    }
}
