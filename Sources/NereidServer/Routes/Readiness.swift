// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidJobs

/// Whether the server wants requests.
final class Readiness: Sendable {
    /// From then on no new requests are wanted, and answers without an end are to end.
    let stopping = Occasion()
    /// Models that must answer wherever they come from: the setting `require`.
    private let required: [String]

    init(required: [String] = []) {
        self.required = required
    }

    /// How the server and its models are at this moment.
    func report(_ models: any ModelDirectory) -> ReadinessReport {
        var report = ReadinessReport(models, required: required)
        if stopping.hasCome { report.missing = ["the server is shutting down"] }
        return report
    }
}
