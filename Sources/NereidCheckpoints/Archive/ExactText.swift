// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Text that equals only the very same bytes.
///
/// Swift's strings are equal when they look the same, however they are composed; names in a file are not.
struct ExactText: Hashable, Sendable {
    let text: String

    init(_ text: String) {
        self.text = text
    }

    static func == (left: Self, right: Self) -> Bool {
        left.text.utf8.elementsEqual(right.text.utf8)
    }

    func hash(into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}
