// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Where the names of a model's classes come from: its settings, else its file's metadata, else numbers.
struct ClassNames {
    /// How many classes the file names, where that is beyond doubt.
    var count: Int? { file?.count }

    private let given: [String]?
    private let key: String?
    private let text: String
    private let file: FileLabels?

    /// The keys under which files name their classes; the first one that is there counts.
    private static let keys = ["names", "class_names", "classes", "labels"]

    /// - Parameters:
    ///   - given: the labels of the settings.
    ///   - metadata: what the file says of itself.
    init(given: [String]?, metadata: [String: String]) {
        self.given = given
        key = Self.keys.first { metadata[$0]?.isEmpty == false }
        text = key.flatMap { metadata[$0] } ?? ""
        file = key == nil ? nil : FileLabels(text)
    }

    /// The labels of a model with so many classes, 0 when that is not known, and a warning if the file's can't be used.
    func labels(classes: Int) -> (labels: Labels, warning: String?) {
        if let given { return (Labels(given), nil) }
        guard let key else { return (.numbered(classes), nil) }
        guard let file else {
            let place = "the metadata's ‘\(key)’ can't be read (‘\(text.excerpt(60))’)"
            return (.numbered(classes), "\(place); the classes are numbered. \(Self.advice)")
        }
        let (labels, warning) = file.labels(classes: classes)
        return (labels, warning.map { "the metadata's ‘\(key)’ \($0). \(Self.advice)" })
    }

    private static let advice = "Name them with ‘labels’ in the model's settings"
}

extension String {
    /// The beginning of a text from a file, for a message: in one line and not longer than so many characters.
    func excerpt(_ count: Int) -> String {
        var scalars = String.UnicodeScalarView()
        for scalar in prefix(count).unicodeScalars.prefix(4 * count) {
            scalars.append([.control, .format].contains(scalar.properties.generalCategory) ? " " : scalar)
        }
        return String(scalars) + (dropFirst(count).isEmpty ? "" : "…")
    }
}
