// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension Array where Element: Sendable {
    /// Works on a few elements at once and hands out the results one by one in the elements' order.
    ///
    /// Work that has begun is ahead of what was handed out by at most `limit`, so that memory stays bounded however long the
    /// array is.
    ///
    /// - Parameter stop: waits until the work is to be stopped; `false` when it is cancelled, as it is at the end. When it
    ///   gives `true`, work that has begun is cancelled and its results are handed out, still in order; nothing else is begun.
    func forEachInOrder<Value: Sendable>(
        atMost limit: Int,
        until stop: @escaping @Sendable () async -> Bool = { false },
        _ transform: @escaping @Sendable (Element) async -> Value,
        _ take: (Element, Value) throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Step<Value>.self) { group in
            defer { group.cancelAll() }
            group.addTask { await stop() ? .stop : .over }
            var finished: [Int: Value] = [:]
            var (begun, taken, end) = (0, 0, count)
            while taken < end {
                while begun < Swift.min(taken + limit, end) {
                    group.addTask { [begun] in .value(begun, await transform(self[begun])) }
                    begun += 1
                }
                switch try await group.next() {
                case .value(let index, let value): finished[index] = value
                case .stop:
                    group.cancelAll()
                    end = begun
                case .over, nil: break
                }
                while let value = finished.removeValue(forKey: taken) {
                    try take(self[taken], value)
                    taken += 1
                }
            }
        }
    }
}

/// What a task of the group has come to.
private enum Step<Value: Sendable>: Sendable {
    case value(Int, Value)
    case stop
    /// Nothing will ask to stop any more.
    case over
}
