// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension Unicode.Scalar {
    /// Whether a terminal or a log viewer would act on it instead of showing it: control characters, line and paragraph
    /// separators, and format characters such as bidirectional overrides. The two joiners, without which some scripts and emoji
    /// can't be written, are not among them.
    package var isUnprintable: Bool {
        switch properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: true
        case .format: self != "\u{200C}" && self != "\u{200D}"
        default: false
        }
    }
}

extension StringProtocol {
    /// Whether a terminal shows every character of the text.
    package var isPrintable: Bool { unicodeScalars.allSatisfy { !$0.isUnprintable } }

    /// The text with each unprintable character written as an escape: `\n`, `\r`, `\t`, else `\u{202e}`.
    ///
    /// - Parameter kept: unprintable characters that are left as they are.
    package func printable(keeping kept: Set<Unicode.Scalar> = []) -> String {
        if isPrintable { return String(self) }
        var text = String.UnicodeScalarView()
        for scalar in unicodeScalars {
            guard scalar.isUnprintable, !kept.contains(scalar) else {
                text.append(scalar)
                continue
            }
            switch scalar {
            case "\n": text.append(contentsOf: "\\n".unicodeScalars)
            case "\r": text.append(contentsOf: "\\r".unicodeScalars)
            case "\t": text.append(contentsOf: "\\t".unicodeScalars)
            default: text.append(contentsOf: "\\u{\(String(scalar.value, radix: 16))}".unicodeScalars)
            }
        }
        return String(text)
    }
}
