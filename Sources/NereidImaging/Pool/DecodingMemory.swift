// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Synchronization

/// A part of the budget of decoding. It is given back when nobody holds it any more: a ``Picture`` holds it as long as its
/// pixels.
final class DecodingMemory: Sendable {
    private let core: ImagingCore
    private let isLarge: Bool
    private let bytes: Mutex<Int>

    /// Takes over what the schedule has taken from the budget.
    init(_ bytes: Int, isLarge: Bool, of core: ImagingCore) {
        self.core = core
        self.isLarge = isLarge
        self.bytes = Mutex(bytes)
    }

    deinit { core.giveBack(bytes.withLock { $0 }, isLarge: isLarge) }

    /// The bytes held.
    var byteCount: Int { bytes.withLock { $0 } }

    /// Gives back all beyond so many bytes.
    func shrink(to most: Int) {
        let surplus = bytes.withLock { bytes in
            let surplus = max(bytes - most, 0)
            bytes -= surplus
            return surplus
        }
        if surplus > 0 { core.giveBack(surplus, isLarge: isLarge) }
    }
}
