// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import TestSupport
import Testing

@testable import NereidModels

@Suite("Graph cache")
struct GraphCacheTests {
    let folder: TemporaryFolder
    let cache: GraphCache

    init() throws {
        folder = try TemporaryFolder()
        cache = GraphCache(folder: folder.path("graphs"))
    }

    private func keep(_ text: String, as key: String, in cache: GraphCache) throws -> String? {
        try cache.keep(key) { try Data(text.utf8).write(to: URL(fileURLWithPath: $0)) }
    }

    @Test("gives back what it was given, and nothing else")
    func roundTrip() throws {
        #expect(cache.graph(for: "a") == nil)
        let path = try #require(try keep("graph", as: "a", in: cache))
        #expect(cache.graph(for: "a") == path)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "graph")
        #expect(cache.graph(for: "b") == nil)
        let attributes = try FileManager.default.attributesOfItem(atPath: folder.path("graphs"))
        #expect(attributes[.posixPermissions] as? Int == 0o700)
    }

    @Test("does not trust an entry that was changed, cut short, or has lost its sum", arguments: ["GRAPH", "gr", nil])
    func damage(text: String?) throws {
        let path = try #require(try keep("graph", as: "a", in: cache))
        if let text {
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        } else {
            try FileManager.default.removeItem(atPath: folder.path("graphs/a.sha256"))
        }
        #expect(cache.graph(for: "a") == nil)
        _ = try keep("graph", as: "a", in: cache)
        #expect(cache.graph(for: "a") == path)
    }

    @Test("keeps nothing when it is off, or its folder can't be made")
    func off() throws {
        #expect(try keep("graph", as: "a", in: .none) == nil)
        let file = try folder.write(to: "file")
        let cache = GraphCache(folder: file + "/below")
        #expect(try keep("graph", as: "a", in: cache) == nil)
        #expect(cache.graph(for: "a") == nil)
    }

    @Test("hands on why a graph could not be written, and keeps no half")
    func failure() throws {
        struct Broken: Error {}
        #expect(throws: Broken.self) { try cache.keep("a") { _ in throw Broken() } }
        #expect(cache.graph(for: "a") == nil)
    }

    @Test("lets go of what was used longest ago when it grows too large")
    func capacity() throws {
        let cache = GraphCache(folder: folder.path("small"), capacityInBytes: 10)
        for (age, key) in ["old", "used", "new"].enumerated() {
            let path = try #require(try keep("1234", as: key, in: cache))
            let date = Date(timeIntervalSinceNow: Double(age) - 100)
            // Three entries of four bytes do not fit: the last one drives out the first.
            if key != "new" { try FileManager.default.setAttributes([.modificationDate: date], ofItemAtPath: path) }
        }
        #expect(cache.graph(for: "old") == nil)
        #expect(cache.graph(for: "used") != nil)
        #expect(cache.graph(for: "new") != nil)
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path("small"))
        #expect(files.sorted() == ["new.onnx", "new.sha256", "used.onnx", "used.sha256"])
    }

    @Test("stands in the user's own folder unless told otherwise")
    func places() {
        func folder(_ given: String?, _ environment: [String: String]) -> String? {
            GraphCache(folder: given, environment: environment).folder
        }
        #expect(folder("/there", ["NEREID_CACHE": "/elsewhere"]) == "/there")
        #expect(folder(nil, ["NEREID_CACHE": "/elsewhere", "HOME": "/home/ada"]) == "/elsewhere")
        #expect(folder("off", [:]) == nil)
        #expect(folder(nil, [:]) == nil)
        #if !os(macOS)
        #expect(folder(nil, ["HOME": "/home/ada"]) == "/home/ada/.cache/nereid")
        #expect(folder(nil, ["HOME": "/home/ada", "XDG_CACHE_HOME": "/cache"]) == "/cache/nereid")
        #endif
    }

    @Test("knows the sum of a file: FIPS 180-2, appendix B.1")
    func checksum() throws {
        let path = try folder.write("abc", to: "abc")
        let sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        #expect(try GraphCache.checksum(ofFileAt: path) == sum)
    }
}
