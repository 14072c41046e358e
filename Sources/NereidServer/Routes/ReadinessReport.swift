// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidModels

/// What `/health/ready` and the metrics say of a process.
///
/// The rule: a process wants requests as long as every model that the operator named, or required, answers, in this version or
/// an earlier one, and at least one model answers. A file in a watched folder that can't be loaded makes it degraded, not
/// unready: a load balancer would take a server out of service that serves everything else.
struct ReadinessReport: Sendable {
    /// What stands against sending requests here, each in words; empty when nothing does.
    var missing: [String]
    /// Files that can't be loaded as they are now.
    let broken: [BrokenModel]

    /// A file that can't be loaded as it is now.
    struct BrokenModel: Sendable, Equatable, Encodable {
        /// The name in requests; `nil` where another model has it.
        let model: String?
        /// The file.
        let file: String
        let reason: String
        /// Whether an earlier version of the file answers.
        let answers: Bool
    }

    /// One word for all of it.
    enum State: String, Sendable {
        case ready
        /// Everything that must answer does, but something is broken.
        case degraded
        case notReady = "not ready"
    }

    var state: State { !missing.isEmpty ? .notReady : broken.isEmpty ? .ready : .degraded }

    /// Looks at models.
    ///
    /// - Parameter required: names or aliases of models that must answer beside those that the operator named.
    init(_ models: any ModelDirectory, required: [String] = []) {
        let entries = models.entries
        broken =
            entries.compactMap { entry in
                guard case .local(let status) = entry, let reason = status.failure else { return nil }
                return BrokenModel(
                    model: status.name,
                    file: status.path.printable(),
                    reason: reason,
                    answers: status.model != nil
                )
            }
            + models.leftOut.map { file in
                BrokenModel(model: nil, file: file.path.printable(), reason: file.reason, answers: false)
            }
        missing = models.obstacles
        guard missing.isEmpty else { return }
        var seen: Set<String> = []
        for named in models.named where seen.insert(named.name).inserted {
            if let fault = Self.fault(of: named.name, among: entries, otherwise: "there is no model at \(named.path)") {
                missing.append(fault)
            }
        }
        for name in required where seen.insert(name).inserted {
            if let fault = Self.fault(of: name, among: entries, otherwise: models.absence(of: name)) {
                missing.append(fault)
            }
        }
        if missing.isEmpty, !entries.contains(where: \.isReady) { missing = [models.absence] }
    }

    /// Why a model that must answer does not; `nil` when it does.
    private static func fault(of name: String, among entries: [ModelEntry], otherwise: String) -> String? {
        let entry = entries.first { $0.name == name } ?? entries.first { $0.aliases.contains(name) }
        guard let entry else { return "model ‘\(name)’ is missing: \(otherwise)" }
        guard case .local(let status) = entry else { return nil }
        return switch status.state {
        case .ready: nil
        case .loading: "model ‘\(name)’ is being loaded"
        case .failed: "model ‘\(name)’ can't be served: \(status.failure ?? "its file can't be loaded")"
        }
    }
}
