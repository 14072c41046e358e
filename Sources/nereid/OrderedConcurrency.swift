// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension Array where Element: Sendable {
    /// Works on a few elements at once and hands out the results one by one in the elements' order.
    ///
    /// What is begun runs ahead of what is handed out by at most `limit`, so that memory stays bounded however long the array.
    func forEachInOrder<Value: Sendable>(
        atMost limit: Int,
        _ transform: @escaping @Sendable (Element) async -> Value,
        _ take: (Element, Value) throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: (Int, Value).self) { group in
            var finished: [Int: Value] = [:]
            var begun = 0
            var taken = 0
            while taken < count {
                while begun < Swift.min(taken + limit, count) {
                    group.addTask { [begun] in (begun, await transform(self[begun])) }
                    begun += 1
                }
                if let (index, value) = try await group.next() { finished[index] = value }
                while let value = finished.removeValue(forKey: taken) {
                    try take(self[taken], value)
                    taken += 1
                }
            }
        }
    }
}
