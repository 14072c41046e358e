// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Why a job has no answer, when neither its picture nor its model is at fault.
public enum JobError: Error, Sendable, Equatable, CustomStringConvertible {
    /// So many jobs wait for this model that another would not be answered in time.
    case queueFull(model: String, limit: String, setting: String)
    /// The deadline passed before the answer was there.
    case deadlinePassed(model: String, hadBegun: Bool)
    /// The job came to a process that has not loaded its model.
    case notLoadedHere(model: String)
    /// The worker that had the job could not do it.
    case workerFailed(model: String, reason: String)
    /// The worker's answer does not fit the picture, the request or the limits.
    case unusableAnswer(model: String, reason: String)
    /// So many workers have ended while they had the job that it is not given to another.
    case abandoned(model: String, deliveries: Int)
    /// The queue can't be reached, or was left before the answer was there.
    case queueUnreachable(reason: String)

    /// What happened, to what, and what to do.
    public var description: String {
        switch self {
        case .queueFull(let model, let limit, let setting):
            "the queue of model ‘\(model)’ is full (\(limit); setting \(setting)). Try again after the time in Retry-After"
        case .deadlinePassed(let model, let hadBegun):
            hadBegun
                ? "model ‘\(model)’ did not finish before the request's deadline (setting request_timeout)"
                : "model ‘\(model)’ did not get to this picture before the request's deadline (setting request_timeout)"
        case .notLoadedHere(let model):
            "model ‘\(model)’ is not loaded in this process, so that its jobs can't be done here. Send them to a queue with workers"
        case .workerFailed(let model, let reason):
            "a worker of model ‘\(model)’ could not answer: \(reason)"
        case .unusableAnswer(let model, let reason):
            "a worker of model ‘\(model)’ gave an answer that can't be used: \(reason). Look at the workers of this model, "
                + "and at who may write to the queue's Redis"
        case .abandoned(let model, let deliveries):
            "\(deliveries) workers of model ‘\(model)’ have ended while they had this picture; it is given to no other. "
                + "It is kept among the dead letters: nereid queue dead"
        case .queueUnreachable(let reason):
            "the queue can't be reached: \(reason)"
        }
    }
}
