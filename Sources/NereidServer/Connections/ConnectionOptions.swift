// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// What `Connection` fields say of the connection: tokens in any case, in one line or several (RFC 9110, 7.6.1).
struct ConnectionOptions: Equatable {
    /// The connection ends after this message.
    private(set) var closes = false
    /// A client of HTTP/1.0 would keep it.
    private(set) var keepsAlive = false

    /// Reads the values of all `Connection` fields.
    init(_ values: some Sequence<some StringProtocol>) {
        for value in values {
            for token in value.split(separator: ",") {
                let word = token.lowercased()
                switch word[word.unpadded] {
                case "close": closes = true
                case "keep-alive": keepsAlive = true
                default: break
                }
            }
        }
    }

    /// Whether the connection goes on after a message of a version (RFC 9112, 9.3): `close` has the last word; HTTP/1.1 goes
    /// on, HTTP/1.0 only where it says so.
    func persists(isHTTP10: Bool) -> Bool { closes ? false : isHTTP10 ? keepsAlive : true }
}

extension String {
    /// The text without spaces and tabs at its ends.
    fileprivate var unpadded: Range<Index> {
        let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        guard let first = firstIndex(where: { !isSpace($0) }), let last = lastIndex(where: { !isSpace($0) }) else {
            return startIndex..<startIndex
        }
        return first..<index(after: last)
    }
}
