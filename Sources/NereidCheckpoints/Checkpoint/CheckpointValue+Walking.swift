// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension CheckpointValue {
    /// Visits this value and everything below it, each shared value once, in no order to rely on.
    ///
    /// There is no recursion, and the time is in proportion to the size of the file, whatever contains whatever.
    public func forEachDescendant(_ body: (CheckpointValue) throws -> Void) rethrows {
        var seen: Set<ValueIndex> = [index]
        var waiting = [index]
        while let next = waiting.popLast() {
            let value = CheckpointValue(checkpoint, next)
            try body(value)
            checkpoint.table.forEachPart(of: next) { part in
                if seen.insert(part).inserted { waiting.append(part) }
            }
        }
    }

    /// Checks that one may walk down from here by recursion: that nothing contains itself, and that nothing is nested
    /// deeper than `depth`.
    ///
    /// A shared value counts wherever it is used, so a walk that does not remember where it was may still take very
    /// long; bound its steps.
    ///
    /// - Parameter depth: How many steps down the deepest value may be.
    /// - Throws: ``CheckpointError/damaged(file:place:reason:)`` or
    ///   ``CheckpointError/limitExceeded(file:place:what:limit:)``.
    public func checkNesting(atMost depth: Int) throws(CheckpointError) {
        let place = CheckpointPlace(part: nil, byte: nil)
        var heights: [ValueIndex: Int] = [:]
        var path: [(value: ValueIndex, parts: [ValueIndex], next: Int, height: Int)] = []
        var onPath: Set<ValueIndex> = [index]
        path.append((index, checkpoint.table.parts(of: index), 0, 0))
        while let current = path.last {
            guard current.next < current.parts.count else {
                heights[current.value] = current.height
                onPath.remove(current.value)
                path.removeLast()
                if let parent = path.indices.last { path[parent].height = max(path[parent].height, current.height + 1) }
                continue
            }
            let part = current.parts[current.next]
            path[path.count - 1].next += 1
            if onPath.contains(part) {
                throw .damaged(
                    file: checkpoint.file,
                    place: place,
                    reason: "\(checkpoint.table.kind(of: part)) contains itself"
                )
            }
            let height = heights[part] ?? 0
            guard path.count + height <= depth else {
                throw .limitExceeded(
                    file: checkpoint.file,
                    place: place,
                    what: "nested collections",
                    limit: depth
                )
            }
            if heights[part] != nil {
                path[path.count - 1].height = max(path[path.count - 1].height, height + 1)
            } else {
                onPath.insert(part)
                path.append((part, checkpoint.table.parts(of: part), 0, 0))
            }
        }
    }
}

extension ValueTable {
    /// Gives what a value directly contains.
    func forEachPart(of index: ValueIndex, _ body: (ValueIndex) -> Void) {
        switch self[index] {
        case .tuple(let start, let count):
            tupleElements[Int(start)..<Int(start) + Int(count)].forEach(body)
        case .list(let list), .set(let list):
            lists[Int(list)].forEach(body)
        case .dictionary(let dictionary):
            forEachPart(of: dictionaries[Int(dictionary)], body)
        case .object(let object):
            let record = objects[Int(object)]
            body(record.maker)
            body(record.arguments)
            record.keywordArguments.map(body)
            record.state.map(body)
            if let elements = record.elements { lists[Int(elements)].forEach(body) }
            if let entries = record.entries { forEachPart(of: dictionaries[Int(entries)], body) }
        default:
            break
        }
    }

    private func forEachPart(of dictionary: DictionaryRecord, _ body: (ValueIndex) -> Void) {
        dictionary.keys.forEach(body)
        dictionary.values.forEach(body)
        dictionary.state.map(body)
    }

    func parts(of index: ValueIndex) -> [ValueIndex] {
        var parts: [ValueIndex] = []
        forEachPart(of: index) { parts.append($0) }
        return parts
    }
}
