// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Files whose path a mistyped one may mean.
enum SimilarFiles {
    /// Up to three paths in the same folder that differ in few letters, or in the ending alone; the most similar first.
    static func names(for path: String) -> [String] {
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
        let name = String(path.dropFirst(folder.count))
        guard !name.isEmpty,
            let others = try? FileManager.default.contentsOfDirectory(atPath: folder.isEmpty ? "." : folder)
        else { return [] }
        let stem = stem(of: name)
        let ranked = others.filter { !$0.hasPrefix(".") }.prefix(10_000).compactMap { other -> (Int, String)? in
            let distance = Spelling.distance(name.lowercased(), other.lowercased())
            if distance <= max(1, min(3, name.count / 4)) { return (distance, other) }
            return self.stem(of: other) == stem && isModel(other) ? (4, other) : nil
        }
        return ranked.sorted { ($0.0, $0.1) < ($1.0, $1.1) }.prefix(3).map { folder + $0.1 }
    }

    private static func stem(of name: String) -> Substring {
        name.lastIndex(of: ".").map { name[..<$0] } ?? name[...]
    }

    private static func isModel(_ name: String) -> Bool {
        guard let dot = name.lastIndex(of: ".") else { return false }
        return ModelScan.endings.contains(name[name.index(after: dot)...].lowercased())
    }
}
