// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidImaging

@Suite("Budget of decoding")
struct DecodingBudgetTests {
    @Test("has parts for large and small pictures")
    func parts() {
        let budget = DecodingBudget(limit: 1600)
        #expect((budget.reserve, budget.most, budget.mostOfSmall, budget.used) == (400, 1200, 100, 0))
        #expect(DecodingBudget(limit: -1).limit == 0)
    }

    @Test("never gives more than there is, never lets large pictures into the reserve, nor small ones out of it then")
    func everyState() {
        // Every state of a small budget, and every picture.
        for small in 0...16 {
            for large in 0...(16 - small) {
                var budget = DecodingBudget(limit: 16)
                budget.take(small, isLarge: false)
                budget.take(large, isLarge: true)
                #expect(budget.used == small + large)
                for bytes in 0...20 {
                    for largeWaits in [false, true] {
                        #expect(
                            budget.fits(bytes, isLarge: true, largeWaits: largeWaits)
                                == (small + large + bytes <= 16 && large + bytes <= 12)
                        )
                        #expect(
                            budget.fits(bytes, isLarge: false, largeWaits: largeWaits)
                                == (small + large + bytes <= 16 && (!largeWaits || small + bytes <= 4))
                        )
                    }
                }
                budget.giveBack(small, isLarge: false)
                budget.giveBack(large, isLarge: true)
                #expect(budget == DecodingBudget(limit: 16))
            }
        }
    }
}
