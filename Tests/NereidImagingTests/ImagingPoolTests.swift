// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import Synchronization
import Testing

@testable import NereidImaging

/// A value that several threads look at.
private final class Guarded<Value: Sendable>: Sendable {
    private let value: Mutex<Value>

    init(_ value: Value) {
        self.value = Mutex(value)
    }

    func withLock<R: Sendable>(_ body: (inout Value) -> R) -> R {
        value.withLock { value in body(&value) }
    }
}

@Suite("Imaging pool")
struct ImagingPoolTests {
    @Test("decodes, and hands errors through")
    func decode() async throws {
        let pool = ImagingPool(threads: 1)
        let picture = try Picture.noise(width: 12, height: 7)
        let decoded = try await pool.decode(picture.encoded(as: .png))
        #expect(decoded.pixels == picture.pixels)
        await #expect(throws: ImagingError.notAPicture) {
            try await pool.decode(ByteBuffer(string: "no picture"))
        }
        await pool.shutDown()
    }

    @Test("decodes many pictures of all kinds at once")
    func concurrentDecoding() async throws {
        let pool = ImagingPool(threads: 4)
        let picture = try Picture.noise(width: 40, height: 30)
        let files = try [
            picture.encoded(as: .png), picture.encoded(as: .jpeg(quality: 90)), ByteBuffer(bytes: SmallFiles.gif),
        ]
        let expected = try files.map { try Picture(decoding: $0).pixels }
        try await withThrowingTaskGroup(of: (Int, [UInt8]).self) { group in
            for index in 0..<150 {
                group.addTask {
                    try await (index % 3, pool.decode(files[index % 3]).pixels)
                }
            }
            for try await (index, pixels) in group {
                #expect(pixels == expected[index])
            }
        }
        await pool.shutDown()
    }

    @Test("runs no more at once than it has threads", arguments: [1, 3])
    func bound(threads: Int) async throws {
        let pool = ImagingPool(threads: threads)
        let running = Guarded((now: 0, most: 0))
        // A gate that opens when as many as there are threads have come holds each thread until all are busy.
        let arrived = Guarded(0)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<threads * 10 {
                group.addTask {
                    try await pool.run {
                        running.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1)) }
                        arrived.withLock { $0 += 1 }
                        while arrived.withLock({ $0 < threads }) {}
                        running.withLock { $0.now -= 1 }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(running.withLock { $0.most } == threads)
        await pool.shutDown()
    }

    @Test("does not start work whose task was cancelled while it waited")
    func cancellation() async throws {
        let pool = ImagingPool(threads: 1)
        let started = Guarded(false)
        let gate = Guarded(false)
        let ran = Guarded(false)
        let blocker = Task {
            try await pool.run {
                started.withLock { $0 = true }
                while !gate.withLock({ $0 }) {}
            }
        }
        while !started.withLock({ $0 }) { await Task.yield() }
        let waiting = Task {
            try await pool.run { ran.withLock { $0 = true } }
        }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        gate.withLock { $0 = true }
        try await blocker.value
        #expect(!ran.withLock { $0 })
        await pool.shutDown()
    }

    @Test("leaves work whose task is cancelled to itself, and tells it to end")
    func abandonment() async throws {
        let pool = ImagingPool(threads: 1)
        let (started, ended, gate) = (Guarded(false), Guarded(false), Guarded(false))
        let task = Task {
            try await pool.run { limit in
                started.withLock { $0 = true }
                // As a library that can't be interrupted.
                while !gate.withLock({ $0 }) {}
                defer { ended.withLock { $0 = true } }
                try limit.check()
            }
        }
        while !started.withLock({ $0 }) { await Task.yield() }
        task.cancel()
        // The caller is free while the thread is not.
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(!ended.withLock { $0 })
        #expect(pool.load.running == 1)
        gate.withLock { $0 = true }
        try await pool.run {}
        #expect(ended.withLock { $0 })
        await pool.shutDown()
    }

    @Test("ends work at its deadline, and work that waits for a thread then")
    func deadline() async throws {
        let pool = ImagingPool(threads: 1)
        await #expect(throws: ImagingError.deadlinePassed) {
            try await pool.run(by: ContinuousClock.now) { limit in
                while true { try limit.check() }
            }
        }
        await #expect(throws: ImagingError.deadlinePassed) {
            try await pool.run(by: ContinuousClock.now - .seconds(1)) { _ in
                Issue.record("work began after its deadline")
            }
        }
        await pool.shutDown()
    }

    @Test("tells running work to end when it is shut down")
    func shutDownEndsWork() async throws {
        let pool = ImagingPool(threads: 1)
        let started = Guarded(false)
        let task = Task {
            try await pool.run { limit in
                started.withLock { $0 = true }
                while true { try limit.check() }
            }
        }
        while !started.withLock({ $0 }) { await Task.yield() }
        await pool.shutDown(within: .seconds(3600))
        await #expect(throws: ImagingError.poolIsShutDown) { try await task.value }
    }

    @Test("decodes no more pictures than there is memory for, and goes on as they are let go")
    func memory() async throws {
        // A PNG takes six bytes for each pixel, of which three are kept: small pictures of 100 × 100.
        let pool = ImagingPool(threads: 4, memory: 16 * 60_000)
        let file = try Picture.noise(width: 100, height: 100).encoded(as: .png)
        var pictures: [Picture] = []
        for _ in 0..<16 { pictures.append(try await pool.decode(file)) }
        #expect(pool.load.bytes == 16 * 30_000)
        // Ones that are drawn on keep nine bytes.
        let drawn = try await pool.decode(file, isDrawnOn: true)
        #expect(pool.load.bytes == 16 * 30_000 + 90_000)
        for _ in 0..<12 { pictures.append(try await pool.decode(file)) }
        #expect(pool.load.bytes == 28 * 30_000 + 90_000)
        #expect(try await pool.decode(timing: file, waits: false) == nil)
        let waiting = Task { try await pool.decode(file) }
        while pool.load.waiting == 0 { await Task.yield() }
        let given = Task { try await pool.decode(file) }
        while pool.load.waiting == 1 { await Task.yield() }
        given.cancel()
        await #expect(throws: CancellationError.self) { try await given.value }
        withExtendedLifetime(drawn) { pictures.removeLast(2) }
        #expect(try await waiting.value.pixels == pictures[0].pixels)
        pictures = []
        while pool.load.bytes > 120_000 { await Task.yield() }
        await pool.shutDown()
    }

    @Test("refuses pictures that need more memory than there will ever be, saying which setting that is")
    func tooLarge() async throws {
        let pool = ImagingPool(threads: 1, memory: 16 * 60_000)
        let file = try Picture.noise(width: 400, height: 400).encoded(as: .png)
        let error = ImagingError.tooLarge(.memory, value: 960_000, limit: 720_000)
        await #expect(throws: error) { try await pool.decode(file) }
        #expect(error.description.contains("decode_memory"))
        #expect(pool.load == ImagingLoad(running: 0, waiting: 0, bytes: 0, mostBytes: 960_000))
        await pool.shutDown()
    }

    @Test("gives memory back when a picture turns out to be damaged")
    func damaged() async throws {
        let pool = ImagingPool(threads: 1)
        let file = try Picture.noise(width: 64, height: 64).encoded(as: .png)
        let cut = try #require(file.getSlice(at: file.readerIndex, length: file.readableBytes / 2))
        await #expect(throws: ImagingError.self) { try await pool.decode(cut) }
        while pool.load.bytes > 0 || pool.load.running > 0 { await Task.yield() }
        await pool.shutDown()
    }

    @Test("hands an error of the work through, even a cancellation")
    func errors() async {
        let pool = ImagingPool(threads: 1)
        await #expect(throws: CancellationError.self) {
            try await pool.run { throw CancellationError() }
        }
        await pool.shutDown()
    }

    @Test("refuses work once it is shut down")
    func shutDown() async {
        let pool = ImagingPool(threads: 2)
        await pool.shutDown()
        await pool.shutDown()
        await #expect(throws: ImagingError.poolIsShutDown) {
            try await pool.run {}
        }
    }

    @Test("can be dropped without being shut down")
    func dropped() async throws {
        #expect(try await ImagingPool(threads: 1).run { 1 } == 1)
    }
}
