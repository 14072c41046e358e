// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// The keys of a graph's metadata. Those without `nereid.` are what the frameworks' own exports write.
enum GraphMetadata {
    /// A Python dictionary from class number to name.
    static let names = "names"
    /// The largest stride.
    static let stride = "stride"
    static let task = "task"
    /// Height and width in pixels: `[640, 640]`.
    static let inputSize = "imgsz"
    /// Count and dimensions: `[17, 3]`.
    static let keypoints = "kpt_shape"
    static let layout = "nereid.layout"
    /// JSON: `[8,16,32]`.
    static let strides = "nereid.strides"
    /// JSON, by level and anchor: `[[[10.0,13.0],…],…]`, in pixels of the input.
    static let anchors = "nereid.anchors"
    /// The bins of each distance's distribution.
    static let bins = "nereid.reg_max"
    /// `nms` or `none`.
    static let suppression = "nereid.suppression"
    /// The number of mask coefficients.
    static let masks = "nereid.masks"
    /// Whose way of preparing pictures for classification: `yolov5` or `ultralytics`.
    static let preprocessing = "nereid.preprocess"
    static let framework = "nereid.framework"
    /// The SHA-256 of the checkpoint, as 64 hexadecimal digits.
    static let source = "nereid.source"
    static let converter = "nereid.converter"
    /// What in the checkpoint could not be read, sentences as a Python list; missing when all could.
    static let warnings = "nereid.warnings"

    /// Labels as a Python dictionary, whatever they contain.
    static func pythonDictionary(_ labels: [String]) -> String {
        let entries = labels.enumerated().map { "\($0.offset): \(pythonString($0.element))" }
        return "{\(entries.joined(separator: ", "))}"
    }

    /// A Python string literal; what is not printable is escaped.
    static func pythonString(_ text: String) -> String {
        var literal = "'"
        for scalar in text.unicodeScalars {
            switch scalar {
            case "'", "\\":
                literal += "\\"
                literal.unicodeScalars.append(scalar)
            case "\n": literal += "\\n"
            case "\r": literal += "\\r"
            case "\t": literal += "\\t"
            default:
                switch scalar.properties.generalCategory {
                case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned:
                    literal += escape(scalar)
                default:
                    literal.unicodeScalars.append(scalar)
                }
            }
        }
        return literal + "'"
    }

    private static func escape(_ scalar: Unicode.Scalar) -> String {
        let (prefix, digits) = scalar.value < 0x100 ? ("x", 2) : scalar.value < 0x10000 ? ("u", 4) : ("U", 8)
        let number = String(scalar.value, radix: 16)
        return "\\" + prefix + String(repeating: "0", count: digits - number.count) + number
    }
}
