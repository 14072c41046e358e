// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Synchronization
import Testing

@testable import NereidServer

@Suite("Mapping at the same time")
struct ConcurrentMapTests {
    private struct Failure: Error, Equatable {
        let element: Int
    }

    @Test("gives results in the order of the elements", arguments: [0, 1, 2, 7, 50], [1, 2, 7, 100])
    func order(count: Int, limit: Int) async throws {
        let results = try await Array(0..<count).concurrentMap(atMost: limit) { element in
            for _ in 0..<(count - element) % 5 { await Task.yield() }
            return element * 2
        }
        #expect(results == (0..<count).map { $0 * 2 })
    }

    @Test("works on as many at once as it may, and no more", arguments: [1, 2, 5])
    func limit(limit: Int) async throws {
        let working = Mutex((now: 0, most: 0))
        _ = try await Array(0..<40).concurrentMap(atMost: limit) { _ in
            working.withLock { working in
                working.now += 1
                working.most = max(working.most, working.now)
            }
            for _ in 0..<3 { await Task.yield() }
            working.withLock { $0.now -= 1 }
        }
        #expect(working.withLock { $0.most } <= limit)
    }

    @Test("ends with the first error and gives up the rest")
    func errors() async {
        let begun = Atomic(0)
        await #expect(throws: Failure(element: 0)) {
            try await Array(0..<100).concurrentMap(atMost: 2) { element in
                begun.wrappingAdd(1, ordering: .relaxed)
                if element == 0 { throw Failure(element: 0) }
                // Ends with its cancellation.
                try await Task.sleep(for: .seconds(3600))
            }
        }
        #expect(begun.load(ordering: .relaxed) <= 2)
        await #expect(throws: Failure(element: 7)) {
            try await [7].concurrentMap(atMost: 2) { throw Failure(element: $0) }
        }
    }
}
