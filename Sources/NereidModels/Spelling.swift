// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// How near two spellings are.
public enum Spelling {
    /// The least number of letters put in, left out, replaced or swapped with their neighbour that leads from one word to
    /// the other (optimal string alignment).
    public static func distance(_ first: some StringProtocol, _ second: some StringProtocol) -> Int {
        let (first, second) = (Array(first), Array(second))
        var before: [Int] = []
        var last = Array(0...second.count)
        for (row, letter) in first.enumerated() {
            var next = [row + 1]
            for (column, other) in second.enumerated() {
                var best = min(next[column] + 1, last[column + 1] + 1, last[column] + (letter == other ? 0 : 1))
                if row > 0, column > 0, letter == second[column - 1], first[row - 1] == other {
                    best = min(best, before[column - 1] + 1)
                }
                next.append(best)
            }
            (before, last) = (last, next)
        }
        return last[second.count]
    }

    /// The words that a mistyped one may mean, the likeliest first: those that it begins, then those that differ in few
    /// letters, then those that begin as it does up to a hyphen.
    ///
    /// - Parameter limit: how many at the most.
    public static func suggestions(for word: String, among words: [String], limit: Int = 3) -> [String] {
        guard !word.isEmpty else { return [] }
        let word = word.lowercased()
        let part = String(word.prefix { $0 != "-" })
        let ranked = Set(words).compactMap { candidate -> (Int, String)? in
            if word.count >= 2, candidate.hasPrefix(word) { return (candidate.count - word.count, candidate) }
            let distance = distance(word, candidate)
            if distance <= max(1, min(3, word.count / 3)) { return (100 + distance, candidate) }
            let isStart = part.count >= 3 && part.count < word.count && (candidate.hasPrefix(part) || candidate == part)
            return isStart ? (200 + distance, candidate) : nil
        }
        return ranked.sorted { ($0.0, $0.1) < ($1.0, $1.1) }.prefix(limit).map(\.1)
    }
}
