// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Crypto

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension Detectron2Configuration {
    /// Whether a yaml file is a configuration of Detectron2, and not something else that may lie beside weights.
    ///
    /// Told by a key at the beginning of a line; the file is not parsed. Reads at most 256 KiB.
    public static func isConfiguration(_ path: String) -> Bool {
        guard let attributes = try? FileManager.default.attributesOfItem(atPath: path),
            let size = attributes[.size] as? Int, size <= ConfigurationDocument.maximumByteCount,
            let data = FileManager.default.contents(atPath: path), let text = EditedText(data)?.text
        else { return false }
        return text.utf8.split(whereSeparator: { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }).contains {
            line in
            ["MODEL:", "_BASE_:"].contains { line.starts(with: $0.utf8) }
        }
    }

    /// The names of the graphs that follow the first one: none, `boxes`, or `boxes` and `masks`.
    public var stages: [String] {
        guard let regions else { return [] }
        return regions.mask == nil ? ["boxes"] : ["boxes", "masks"]
    }

    /// The SHA-256 of the values, as 64 hexadecimal digits: equal for configurations that say the same, whatever files they
    /// build upon.
    public var digest: String {
        SHA256.hash(data: Data(identity.utf8)).map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }
}

extension ConfigurationValue {
    /// The value as text, tables in the order of their keys: equal for equal values alone.
    var canonical: String {
        switch self {
        case .none: "null"
        case .boolean(let value): value ? "true" : "false"
        case .integer(let number): "\(number)"
        case .real(let number): "real \(number.bitPattern)"
        case .text(let text): "\(text.utf8.count):\(text)"
        case .list(let elements): "[\(elements.map(\.canonical).joined(separator: ","))]"
        case .table(let entries):
            "{\(entries.sorted { $0.key < $1.key }.map { "\($0.key.utf8.count):\($0.key)=\($0.value.canonical)" }.joined(separator: ","))}"
        }
    }
}
