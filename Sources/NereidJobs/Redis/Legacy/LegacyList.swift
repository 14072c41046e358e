// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// A list in Redis from which workers of the older server take pictures, and the model that they serve.
public struct LegacyList: Sendable, Hashable {
    /// The model's name in requests.
    public let model: String
    /// The key of the list.
    public let list: String

    /// Makes a list. A model is called as its list unless it is given a name.
    public init(_ list: String, model: String? = nil) {
        self.list = list
        self.model = model ?? list
    }

    /// Reads `LIST` or `MODEL=LIST`, without spaces around them.
    ///
    /// - Throws: ``LegacyListError/nameless(_:)``.
    public init(parsing text: some StringProtocol) throws(LegacyListError) {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map { part in
            String(part.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
        }
        guard parts.allSatisfy({ !$0.isEmpty }), let list = parts.last else { throw .nameless(String(text)) }
        self.init(list, model: parts.count == 2 ? parts[0] : nil)
    }

    /// Reads lists with commas between them.
    ///
    /// - Throws: ``LegacyListError``.
    public static func lists(parsing text: String) throws(LegacyListError) -> [LegacyList] {
        var lists: [LegacyList] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let list = try LegacyList(parsing: part)
            guard !lists.contains(where: { $0.model == list.model }) else { throw .repeated(list.model) }
            lists.append(list)
        }
        return lists
    }
}

/// What can be wrong with the names of lists.
public enum LegacyListError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A list or a model has no name.
    case nameless(String)
    /// Two lists are to serve one model.
    case repeated(String)

    /// What happened, to what, and what to do.
    public var description: String {
        switch self {
        case .nameless(let text):
            "‘\(text)’ names no list. Give LIST or MODEL=LIST, several with commas between them, such as "
                + "benthic=image_queue_yolov5"
        case .repeated(let model):
            "two lists are to serve the model ‘\(model)’. Give one of them another name: NAME=LIST"
        }
    }
}
