// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidJobs

/// Says when there will be room for what was refused.
struct RoomEstimates: Sendable {
    let queue: any JobQueue
    let jobs: (any BulkJobStore)?
    let uploads: UploadMemory

    init(_ services: Services) {
        (queue, jobs, uploads) = (services.queue, services.jobs, services.uploads)
    }

    /// The time to try again after, for a problem with a request.
    ///
    /// - Returns: `nil` where nothing is known yet, or the problem is of another kind.
    func time(for code: Problem.Code, _ record: RequestRecord.Content) async -> RetryAfter? {
        switch code {
        case .uploadMemoryFull:
            return uploads.timeUntilRoom.map(RetryAfter.init)
        case .queueFull where record.order != nil:
            let jobs = try? await jobs?.jobs(before: nil, limit: 100)
            return jobs.flatMap { BulkProgress($0, at: .now).timeUntilRoom }.map(RetryAfter.init)
        case .queueFull:
            return record.model.flatMap { queue.timeUntilRoom(for: $0) }.map(RetryAfter.init)
        default:
            return nil
        }
    }
}
