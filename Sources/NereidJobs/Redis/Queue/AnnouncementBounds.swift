// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// The most that a worker may say of itself. Gateways read it again and again, list it, and count by it.
enum AnnouncementBounds {
    /// The JSON of an announcement or a description, in bytes.
    static let bytes = 8 << 20
    /// Workers that are looked at.
    static let workers = 10_000
    static let models = 1000
    static let aliases = 100
    static let labels = 65_536
    /// Bytes of every name.
    static let nameBytes = 1000
    static let inputSide = 65_536
    static let warnings = 100
    /// Bytes of a warning.
    static let warningBytes = 4000
    /// Runs at once that a worker is taken to be good for.
    static let instances = 1024
    /// Jobs that a worker is taken to have.
    static let running = 1_000_000

    static func isName(_ text: String) -> Bool {
        text.utf8.count <= nameBytes && !text.unicodeScalars.contains { $0.properties.generalCategory == .control }
    }
}

extension WorkerAnnouncement {
    /// What of it can't be used; `nil` when all can.
    var fault: String? {
        guard [worker, host, software, description ?? ""].allSatisfy(AnnouncementBounds.isName) else {
            return "a name in it is too long, or has control characters"
        }
        return (models ?? []).fault
    }
}

extension [WorkerAnnouncement.Model] {
    /// What of them can't be used; `nil` when all can.
    var fault: String? {
        guard count <= AnnouncementBounds.models else { return "it names \(count) models" }
        return lazy.compactMap(\.fault).first
    }
}

extension WorkerAnnouncement.Model {
    fileprivate var fault: String? {
        let aliases = aliases ?? []
        let names = [name, task, file ?? "", engine ?? "", device ?? "", input?.fit ?? ""] + aliases
        guard names.allSatisfy(AnnouncementBounds.isName) else {
            return "a name of a model is too long, or has control characters"
        }
        guard aliases.count <= AnnouncementBounds.aliases else { return "‘\(name)’ has \(aliases.count) aliases" }
        guard labels.count <= AnnouncementBounds.labels else { return "‘\(name)’ has \(labels.count) labels" }
        guard labels.allSatisfy({ $0.utf8.count <= AnnouncementBounds.nameBytes }) else {
            return "a label of ‘\(name)’ is too long"
        }
        let warnings = warnings ?? []
        guard warnings.count <= AnnouncementBounds.warnings,
            warnings.allSatisfy({ $0.utf8.count <= AnnouncementBounds.warningBytes })
        else { return "the warnings of ‘\(name)’ are too long" }
        if let input {
            let sides = 1...AnnouncementBounds.inputSide
            guard sides.contains(input.width), sides.contains(input.height) else {
                return "‘\(name)’ has no such input"
            }
        }
        return defaults?.fault.map { "the \($0) of ‘\(name)’ is out of its range" }
    }
}

extension WorkerAnnouncement.Defaults {
    fileprivate var fault: String? {
        let (share, count) = (Float(0)...1, 1...1_000_000)
        if let confidence, !share.contains(confidence) { return "confidence" }
        if let iou, !share.contains(iou) { return "iou" }
        if let maxDetections, !count.contains(maxDetections) { return "max_detections" }
        if let topClasses, !count.contains(topClasses) { return "top_k" }
        return nil
    }
}
