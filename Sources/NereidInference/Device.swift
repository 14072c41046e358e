// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Where a session computes.
public enum Device: Sendable, Hashable, CustomStringConvertible {
    /// The best that the engine offers: a GPU when a session can be made there, else the processor.
    case auto
    /// The processor.
    case cpu
    /// The NVIDIA GPU with this number, counted from 0.
    case cuda(Int)

    /// Reads `auto`, `cpu`, `cuda`, `cuda:1`, and `gpu` for the first GPU; upper and lower case are alike.
    ///
    /// - Returns: `nil` for anything else.
    public init?(_ description: String) {
        let parts = description.lowercased().split(separator: ":", omittingEmptySubsequences: false)
        switch (parts.first, parts.count) {
        case ("auto", 1): self = .auto
        case ("cpu", 1): self = .cpu
        case ("cuda", 1), ("gpu", 1): self = .cuda(0)
        case ("cuda", 2), ("gpu", 2):
            guard let index = Int(parts[1]), index >= 0 else { return nil }
            self = .cuda(index)
        default: return nil
        }
    }

    /// The word that ``init(_:)`` reads: `auto`, `cpu` or, for example, `cuda:0`.
    public var description: String {
        switch self {
        case .auto: "auto"
        case .cpu: "cpu"
        case .cuda(let index): "cuda:\(index)"
        }
    }
}
