// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The label files that settings files name. A settings file is read once for each state of it, not at each look.
struct LabelFiles {
    private var known: [String: (state: FoundModel.Fingerprint.File, labels: String?)] = [:]

    /// The path of the label file that a settings file names; `nil` when it names none or can't be read.
    ///
    /// - Parameter state: the state of the settings file at this look.
    mutating func labels(ofSettingsAt path: String, in state: FoundModel.Fingerprint.File) -> String? {
        if let entry = known[path], entry.state == state { return entry.labels }
        let labels = ModelSettings.labelFile(ofSettingsAt: path)
        known[path] = (state, labels)
        return labels
    }

    /// Forgets the settings files that are not in use.
    mutating func keep(_ paths: Set<String>) {
        known = known.filter { paths.contains($0.key) }
    }
}
