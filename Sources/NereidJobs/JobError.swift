// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Why a job has no answer, when neither its picture nor its model is at fault.
public enum JobError: Error, Sendable, Equatable, CustomStringConvertible {
    /// So many jobs wait for this model that another would not be answered in time.
    case queueFull(model: String, limit: String, setting: String)
    /// The deadline passed before the answer was there.
    case deadlinePassed(model: String, hadBegun: Bool)

    /// What happened, to what, and what to do.
    public var description: String {
        switch self {
        case .queueFull(let model, let limit, let setting):
            "the queue of model ‘\(model)’ is full (\(limit); setting \(setting)). Try again after the time in Retry-After"
        case .deadlinePassed(let model, let hadBegun):
            hadBegun
                ? "model ‘\(model)’ did not finish before the request's deadline; its run was stopped (setting request_timeout)"
                : "model ‘\(model)’ did not get to this picture before the request's deadline (setting request_timeout)"
        }
    }
}
