// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension Array where Element: Sendable {
    /// The results for all elements, in their order, with at most so many being worked on at once.
    func concurrentMap<Value: Sendable>(
        atMost limit: Int,
        _ transform: @escaping @Sendable (Element) async throws -> Value
    ) async throws -> [Value] {
        if count == 1 { return [try await transform(self[0])] }
        return try await withThrowingTaskGroup(of: (Int, Value).self) { group in
            var results = [Value?](repeating: nil, count: count)
            var next = 0
            while next < Swift.min(limit, count) {
                group.addTask { [next] in (next, try await transform(self[next])) }
                next += 1
            }
            while let (index, value) = try await group.next() {
                results[index] = value
                if next < count {
                    group.addTask { [next] in (next, try await transform(self[next])) }
                    next += 1
                }
            }
            return results.compactMap(\.self)
        }
    }
}
