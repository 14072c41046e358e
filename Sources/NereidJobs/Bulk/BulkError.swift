// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Why a bulk job is not accepted or not found.
public enum BulkError: Error, Sendable, Equatable, CustomStringConvertible {
    /// No job has this id, or none any more.
    case notFound(id: String)
    /// So many bytes of pictures wait already.
    case full(limit: String, setting: String)
    /// The order alone has more bytes of pictures than may ever wait.
    case tooLarge(bytes: Int, limit: Int)
    /// The key was used for another order.
    case keyReused(key: String)
    /// Jobs are not kept here, or where they are kept can't be used.
    case unavailable(reason: String)
    /// The disk, or the share of it that jobs may take, has no room.
    case noSpace(reason: String)
    /// What jobs are kept in is damaged, was removed, or can't be read.
    case damaged(reason: String)

    /// What happened, to what, and what to do.
    public var description: String {
        switch self {
        case .notFound(let id):
            "there is no job ‘\(id)’: its results may have been kept for as long as they are (setting job_life), or it was deleted"
        case .full(let limit, let setting):
            "the jobs that wait hold as many pictures as they may (\(limit); setting \(setting)). "
                + "Try again after the time in Retry-After"
        case .tooLarge(let bytes, let limit):
            "the pictures of this order are \(bytes) bytes, and no more than \(limit) may wait at all (setting job_bytes). "
                + "Order them in parts"
        case .keyReused(let key):
            "the Idempotency-Key ‘\(key)’ was used for another order; give each order a key of its own"
        case .unavailable(let reason), .noSpace(let reason), .damaged(let reason):
            "jobs can't be kept: \(reason)"
        }
    }
}
