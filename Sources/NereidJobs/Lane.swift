// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Who waits for a job.
public enum Lane: Sendable, Hashable, CaseIterable {
    /// A person, or a program that holds a connection: these go first.
    case interactive
    /// Nobody at this moment: these are done when no other job of their model waits.
    case bulk
}
