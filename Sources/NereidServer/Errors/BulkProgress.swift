// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidJobs

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// How fast jobs go on, all together.
struct BulkProgress {
    /// The time until one of them is finished and its pictures are gone; `nil`: none goes on yet.
    let timeUntilRoom: Duration?

    /// - Parameter jobs: jobs, finished ones too.
    init(_ jobs: [BulkJob], at now: Date) {
        let times = jobs.filter { $0.state == .running && $0.pictures > $0.done }.map { job in
            let elapsed = max(0, now.timeIntervalSince(job.created))
            return elapsed / Double(job.done) * Double(job.pictures - job.done)
        }
        timeUntilRoom = times.min().map { .seconds(min($0, 1e6)) }
    }
}
