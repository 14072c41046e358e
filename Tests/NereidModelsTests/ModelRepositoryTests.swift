// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidVision
import TestSupport
import Testing

@testable import NereidModels

@Suite("Model repository")
struct ModelRepositoryTests {
    let folder: TemporaryFolder
    let loader: Loader
    let repository: ModelRepository

    init() async throws {
        folder = try TemporaryFolder()
        loader = try await Loader()
        repository = loader.repository(ModelLocation(path: folder.path))
    }

    var names: [String] { repository.catalogue.statuses.map(\.name) }

    @Test("serves nothing before its first look")
    func before() {
        #expect(names.isEmpty)
        #expect(!repository.catalogue.isComplete)
        #expect(repository.catalogue.first == nil)
        #expect(throws: ModelsError.notFound(name: "reef", served: [])) {
            try repository.catalogue.model(named: "reef")
        }
    }

    @Test("loads what is there at its first look, in order")
    func firstLook() async throws {
        for name in ["b", "c", "a"] { try folder.write(name, to: "\(name).onnx") }
        await repository.refresh(isFirst: true)
        #expect(names == ["a", "b", "c"])
        #expect(await loader.texts == ["a", "b", "c"])
        #expect(repository.catalogue.isComplete)
        #expect(repository.catalogue.first?.name == "a")
        #expect(try repository.catalogue.model(named: "b").path == folder.path("b.onnx"))
        #expect(repository.catalogue.statuses.allSatisfy { $0.state == .ready && !$0.isLoading && $0.failure == nil })
        await repository.refresh()
        #expect(await loader.texts.count == 3)
    }

    @Test("is complete when there is nothing to serve")
    func empty() async {
        await repository.refresh(isFirst: true)
        #expect(repository.catalogue.isComplete)
    }

    @Test("loads a new file once two looks have found it the same")
    func newFile() async throws {
        await repository.refresh(isFirst: true)
        try folder.write("half", to: "reef.onnx")
        await repository.refresh()
        #expect(names.isEmpty)
        // It has grown since: still being copied.
        try folder.write("the whole", to: "reef.onnx")
        await repository.refresh()
        #expect(names.isEmpty)
        await repository.refresh()
        #expect(names == ["reef"])
        #expect(await loader.texts == ["the whole"])
    }

    @Test("puts a changed file in the place of the old version once two looks agree")
    func changedFile() async throws {
        try folder.write("one", to: "reef.onnx")
        await repository.refresh(isFirst: true)
        let old = try repository.catalogue.model(named: "reef")
        try folder.write("two", to: "reef.onnx")
        await repository.refresh()
        #expect(try repository.catalogue.model(named: "reef") === old)
        await repository.refresh()
        #expect(try repository.catalogue.model(named: "reef") !== old)
        #expect(await loader.texts == ["one", "two"])
    }

    @Test("loads a model again when the settings beside it come, change or go")
    func changedSettings() async throws {
        try folder.write("one", to: "reef.onnx")
        await repository.refresh(isFirst: true)
        for change in [{ try folder.write("iou: 0.5", to: "reef.yaml") }, { try folder.write("", to: "reef.yaml") }] {
            _ = try change()
            for _ in 0..<3 { await repository.refresh() }
        }
        try folder.remove("reef.yaml")
        for _ in 0..<3 { await repository.refresh() }
        #expect(await loader.texts == ["one", "one", "one", "one"])
    }

    @Test("loads a model again when only the label file changes that its settings name")
    func changedLabels() async throws {
        try folder.write("one", to: "reef.onnx")
        try folder.write("labels: reef.txt", to: "reef.yaml")
        try folder.write("urchin", to: "reef.txt")
        await repository.refresh(isFirst: true)
        try folder.write("star", to: "reef.txt")
        for _ in 0..<3 { await repository.refresh() }
        #expect(await loader.texts == ["one", "one"])
    }

    @Test("lists a file whose name can't be shown as failed, under its name in escapes, and never reads it")
    func badName() async throws {
        try folder.write("one", to: "a\nb\u{202E}.onnx")
        try folder.write("one", to: "good.onnx")
        for _ in 0..<3 { await repository.refresh(isFirst: true) }
        #expect(await loader.texts == ["one"])
        #expect(names == ["a\\nb\\u{202e}", "good"])
        let status = try #require(repository.catalogue.status(named: "a\\nb\\u{202e}"))
        #expect(status.state == .failed)
        #expect(status.failure?.contains("characters that can't be shown") == true)
        #expect(status.failure?.isPrintable == true)
    }

    @Test("says which models were named, and which files are left out for their name")
    func named() async throws {
        let file = try folder.write("one", to: "reef.onnx")
        let other = try folder.write("one", to: "more/reef.onnx")
        let repository = loader.repository(
            ModelLocation(path: file),
            ModelLocation(path: folder.path("more")),
            ModelLocation(path: folder.path("gone.onnx"))
        )
        await repository.refresh(isFirst: true)
        #expect(repository.catalogue.named.map(\.name) == ["reef", "gone"])
        #expect(repository.catalogue.leftOut.map(\.path) == [other])
        try folder.remove("more/reef.onnx")
        await repository.refresh()
        #expect(repository.catalogue.leftOut.isEmpty)
    }

    @Test("lets go of a model at once when its file is gone")
    func removedFile() async throws {
        for name in ["a", "b"] { try folder.write(name, to: "\(name).onnx") }
        await repository.refresh(isFirst: true)
        weak var model = repository.catalogue.statuses[0].model
        #expect(model != nil)
        try folder.remove("a.onnx")
        await repository.refresh()
        #expect(names == ["b"])
        #expect(model == nil)
        #expect(throws: ModelsError.notFound(name: "a", served: ["b"])) { try repository.catalogue.model(named: "a") }
    }

    @Test("keeps the version it has when the new file is broken, and says what is wrong")
    func brokenReplacement() async throws {
        try folder.write("one", to: "reef.onnx")
        await repository.refresh(isFirst: true)
        let old = try repository.catalogue.model(named: "reef")
        try folder.write("broken", to: "reef.onnx")
        for _ in 0..<4 { await repository.refresh() }
        #expect(try repository.catalogue.model(named: "reef") === old)
        let status = try #require(repository.catalogue.status(named: "reef"))
        #expect(status.failure == "the graph of ‘reef’ is broken")
        #expect(status.state == .ready)
        // A broken file is tried once, not at every look.
        #expect(await loader.texts == ["one", "broken"])
        try folder.write("three", to: "reef.onnx")
        for _ in 0..<2 { await repository.refresh() }
        #expect(try repository.catalogue.model(named: "reef") !== old)
        #expect(repository.catalogue.status(named: "reef")?.failure == nil)
    }

    @Test("serves the others when one file is broken")
    func brokenBesideOthers() async throws {
        for (name, text) in [("a", "broken"), ("b", "one")] { try folder.write(text, to: "\(name).onnx") }
        await repository.refresh(isFirst: true)
        #expect(repository.catalogue.isComplete)
        #expect(repository.catalogue.first?.name == "b")
        #expect(repository.catalogue.statuses.map(\.state) == [.failed, .ready])
        #expect(throws: ModelsError.broken(name: "a", reason: "the graph of ‘a’ is broken")) {
            try repository.catalogue.model(named: "a")
        }
        #expect(throws: ModelsError.notFound(name: "cod", served: ["b"])) {
            try repository.catalogue.model(named: "cod")
        }
    }

    @Test("serves a model under its aliases too, but names go before them")
    func aliases() async throws {
        try folder.write("one aliases benthic bottom", to: "reef.onnx")
        try folder.write("one", to: "sand.onnx")
        await repository.refresh(isFirst: true)
        let model = try repository.catalogue.model(named: "reef")
        #expect(try repository.catalogue.model(named: "benthic") === model)
        #expect(try repository.catalogue.model(named: "bottom") === model)
        try folder.write("one", to: "bottom.onnx")
        for _ in 0..<2 { await repository.refresh() }
        #expect(try repository.catalogue.model(named: "bottom").name == "bottom")
        #expect(try repository.catalogue.model(named: "benthic") === model)
    }

    @Test("tells of an alias that is another model's name, and serves both")
    func aliasClash() async throws {
        try folder.write("one", to: "a.onnx")
        try folder.write("one aliases a", to: "b.onnx")
        await repository.refresh(isFirst: true)
        #expect(try repository.catalogue.model(named: "a").name == "a")
        #expect(try repository.catalogue.model(named: "b").name == "b")
        #expect(
            repository.catalogue.status(named: "b")?.failure == "its alias ‘a’ is already the name of another model"
        )
    }

    @Test("lists models in the order of their locations, however late they come")
    func order() async throws {
        let late = folder.path("late.onnx")
        let early = try folder.write("one", to: "early.onnx")
        let repository = loader.repository(ModelLocation(path: late), ModelLocation(path: early))
        await repository.refresh(isFirst: true)
        #expect(repository.catalogue.statuses.map(\.name) == ["early"])
        try folder.write("one", to: "late.onnx")
        for _ in 0..<2 { await repository.refresh() }
        #expect(repository.catalogue.statuses.map(\.name) == ["late", "early"])
    }

    @Test("looks again and again while it runs, and serves nothing afterwards")
    func service() async throws {
        try folder.write("one", to: "a.onnx")
        let repository = loader.repository(ModelLocation(path: folder.path), interval: .milliseconds(1))
        let service = Task { try await repository.run() }
        var names = loader.names.makeAsyncIterator()
        #expect(await names.next() == "a")
        try folder.write("two", to: "b.onnx")
        #expect(await names.next() == "b")
        service.cancel()
        try await service.value
        #expect(repository.catalogue.statuses.isEmpty)
    }

    @Test("shows a model as loading until it has been loaded")
    func loading() async throws {
        try folder.write("one", to: "reef.onnx")
        let (begun, beginning) = AsyncStream<Void>.makeStream()
        let (finish, finishing) = AsyncStream<Void>.makeStream()
        let repository = ModelRepository(
            locations: [ModelLocation(path: folder.path)],
            logger: Fixtures.logger
        ) { [loader] found in
            beginning.yield()
            for await _ in finish { break }
            return try await loader.load(found)
        }
        let look = Task { await repository.refresh(isFirst: true) }
        for await _ in begun { break }
        let status = try #require(repository.catalogue.status(named: "reef"))
        #expect((status.state, status.isLoading) == (.loading, true))
        #expect(!repository.catalogue.isComplete)
        #expect(throws: ModelsError.loading(name: "reef")) {
            try repository.catalogue.model(named: "reef")
        }
        finishing.yield()
        await look.value
        #expect(repository.catalogue.status(named: "reef")?.state == .ready)
        #expect(repository.catalogue.isComplete)
    }
}
