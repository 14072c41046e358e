// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidModels

extension BulkRunner {
    /// How an attempt at a picture has ended.
    enum Ending: Sendable, Equatable {
        /// The picture has its answer, or is gone.
        case settled
        /// It waits again.
        case postponed(because: String)
    }

    /// Makes an attempt at a picture and keeps its answer.
    ///
    /// When the task is cancelled the picture waits again, unless its answer is there already.
    func work(on place: BulkSchedule.Place, id: String, model name: String) async -> Ending {
        let model: JobModel
        let begun: DatabaseJobStore.Begun
        do {
            model = try self.model(name)
            guard let one = try await store.begin(place.position, of: place.job) else { return .settled }
            begun = one
        } catch {
            return .postponed(because: "\(error)")
        }
        guard begun.attempts <= pace.attempts else {
            let reason =
                "this program ended \(begun.attempts - 1) times while it had the picture, which is not tried again"
            return await keep(.failure(JobError.workerFailed(model: name, reason: reason)), for: place)
        }
        guard let options = begun.options else {
            let reason = "the job's options can't be read by this version"
            return await keep(.failure(JobError.workerFailed(model: name, reason: reason)), for: place)
        }
        let job = Job(
            id: "\(id)-\(place.position)",
            model: model,
            picture: begun.picture,
            options: options,
            deadline: .now + pace.patience,
            lane: .bulk
        )
        do {
            return await keep(.success(try await queue.submit(job)), for: place)
        } catch {
            switch error {
            case JobError.queueFull, JobError.queueUnreachable, JobError.deadlinePassed(_, hadBegun: false):
                return await postpone(place, because: "\(error)")
            case is CancellationError where Task.isCancelled:
                return await postpone(place, because: "it was stopped")
            case JobError.deadlinePassed:
                let reason = "the picture was not done within \(pace.patience)"
                return await keep(.failure(JobError.workerFailed(model: name, reason: reason)), for: place)
            default:
                return await keep(.failure(error), for: place)
            }
        }
    }

    private func postpone(_ place: BulkSchedule.Place, because reason: String) async -> Ending {
        // In a task of its own, as this one may be cancelled. If it fails, the attempt counts as one that ended badly, and the
        // picture is run alone after the next start: slower, and no harm.
        await Task { try? await store.release(place.position, of: place.job) }.value
        return .postponed(because: reason)
    }

    /// Keeps the answer, as soon as the store can be written.
    private func keep(_ outcome: Result<JobAnswer, any Error>, for place: BulkSchedule.Place) async -> Ending {
        var backOff = BackOff(first: .milliseconds(500), most: .seconds(30))
        while true {
            do {
                // In a task of its own: an answer that is there is kept, also when the runner is stopping.
                _ = try await Task { try await store.record(outcome, for: place.position, of: place.job) }.value
                return .settled
            } catch {
                let wait = backOff.next()
                logger.log(
                    level: backOff.level,
                    "an answer can't be kept",
                    metadata: ["error": "\(error)", "again": "\(wait)"]
                )
                try? await Task.sleep(for: wait)
                if Task.isCancelled { return .postponed(because: "\(error)") }
            }
        }
    }

    /// Forgets jobs whose time is over, now and then, until the task is cancelled.
    func sweep() async {
        while !Task.isCancelled {
            do {
                try await store.sweep()
            } catch is CancellationError {
                return
            } catch {
                logger.warning("jobs whose time is over can't be forgotten", metadata: ["error": "\(error)"])
            }
            try? await Task.sleep(for: pace.sweep)
        }
    }
}
