// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidJobs

/// Whether the server wants requests.
final class Readiness: Sendable {
    /// From then on no new requests are wanted, and answers without an end are to end.
    let stopping = Occasion()

    /// What stands against sending requests here; empty when nothing does.
    func obstacles(_ models: any ModelDirectory) -> [String] {
        stopping.hasCome ? ["the server is shutting down"] : models.obstacles
    }
}
