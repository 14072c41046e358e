// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension ForeignLayout {
    /// Any other graph that asks for more than the picture.
    static let secondInput = ForeignLayout(
        name: "a detector that takes the picture's size or scale as a second input",
        advice: "Export it with the picture as its only input"
    ) { evidence in
        guard evidence.inputNames.count > 1 else { return nil }
        return "its inputs are \(evidence.inputNames.joined(separator: ", "))"
    }
}
