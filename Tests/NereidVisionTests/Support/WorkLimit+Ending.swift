// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging
import TestSupport

extension WorkLimit {
    /// A limit that lets so many checks pass, and no further one.
    static func ending(after checks: Int) -> WorkLimit {
        let clock = StepClock()
        return WorkLimit(deadline: clock.start + .seconds(checks + 1), now: clock.now)
    }
}
