// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// The memory that all pictures may hold together while they are decoded and until they are let go, as a value.
///
/// A quarter is reserved for small pictures, so that large ones never keep them waiting. While a large picture waits, small
/// ones may use no more than that quarter, so that they never keep it waiting for ever.
struct DecodingBudget: Equatable {
    /// Bytes for all pictures.
    let limit: Int
    /// Bytes held by small and by large pictures.
    private(set) var small = 0
    private(set) var large = 0

    init(limit: Int) {
        self.limit = max(limit, 0)
    }

    /// Bytes that only small pictures may use.
    var reserve: Int { limit / 4 }
    /// The most bytes that one picture may need.
    var most: Int { limit - reserve }
    /// A picture that needs more than this is a large one.
    var mostOfSmall: Int { reserve / 4 }
    /// Bytes held by all pictures.
    var used: Int { small + large }

    /// Whether a picture may begin now.
    ///
    /// - Parameter largeWaits: whether a large picture waits for memory.
    func fits(_ bytes: Int, isLarge: Bool, largeWaits: Bool) -> Bool {
        guard bytes <= limit - used else { return false }
        return isLarge ? bytes <= most - large : !largeWaits || bytes <= reserve - small
    }

    mutating func take(_ bytes: Int, isLarge: Bool) {
        if isLarge { large += bytes } else { small += bytes }
    }

    mutating func giveBack(_ bytes: Int, isLarge: Bool) {
        take(-bytes, isLarge: isLarge)
        assert(small >= 0 && large >= 0, "more was given back than was taken")
    }
}
