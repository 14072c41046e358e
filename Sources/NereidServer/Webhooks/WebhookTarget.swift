// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Where a webhook is: a URL, read strictly.
///
/// Two programs that read one URL differently are how requests come to lead where nobody allowed. So whatever has two readings is
/// refused here, and what is asked later is the URL put together anew from its parts.
struct WebhookTarget: Sendable, Hashable {
    /// Whether it is `https`.
    let isSecure: Bool
    let host: Host
    let port: Int
    /// From the first slash on.
    let path: String

    /// A machine, by name or by address.
    enum Host: Sendable, Hashable, CustomStringConvertible {
        /// In small letters, without a dot at its end.
        case name(String)
        case address(IPAddress)

        /// As it stands in a URL.
        var description: String {
            switch self {
            case .name(let name): name
            case .address(.v6(let number)): "[\(IPAddress.v6(number))]"
            case .address(let address): address.description
            }
        }

        /// Reads a name or an address; an IPv6 address with or without brackets.
        init?(_ text: String) {
            let bare = text.hasPrefix("[") && text.hasSuffix("]") ? String(text.dropFirst().dropLast()) : text
            if let address = IPAddress(bare) {
                self = .address(address)
                return
            }
            guard bare == text else { return nil }
            let name = text.lowercased()
            let trimmed = name.hasSuffix(".") ? String(name.dropLast()) : name
            let labels = trimmed.split(separator: ".", omittingEmptySubsequences: false)
            guard (1...253).contains(trimmed.utf8.count),
                labels.allSatisfy({ label in
                    (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
                        && label.utf8.allSatisfy { $0.isHostCharacter }
                }),
                // What ends in a number is an address in some program's eyes: 2130706433, 0x7f.1, 127.1, 0177.0.0.1.
                let last = labels.last, !last.utf8.allSatisfy({ $0.isDigit }), !last.hasPrefix("0x")
            else { return nil }
            self = .name(trimmed)
        }
    }

    /// The URL, in the one way that it is written here.
    var url: String {
        let standard = port == (isSecure ? 443 : 80)
        return "\(isSecure ? "https" : "http")://\(host)\(standard ? "" : ":\(port)")\(path)"
    }

    /// Reads a URL.
    ///
    /// - Throws: ``WebhookAddressError/malformed(_:reason:)``.
    init(_ text: String) throws(WebhookAddressError) {
        func malformed(_ reason: String) -> WebhookAddressError { .malformed(text, reason: reason) }
        guard text.utf8.count <= 2048 else {
            throw .malformed(String(text.prefix(60)) + "…", reason: "it is longer than 2048 bytes")
        }
        guard text.utf8.allSatisfy({ $0.isURLCharacter }) else {
            throw malformed("it has characters that a URL can't have; they must be percent-encoded")
        }
        let lowered = text.lowercased()
        guard let scheme = ["https://", "http://"].first(where: lowered.hasPrefix) else {
            throw malformed("it must begin with https:// (or http://, where that is allowed)")
        }
        guard !text.contains("#") else { throw malformed("it must not have a fragment (#…)") }
        let rest = text.dropFirst(scheme.count)
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        guard !authority.contains("@") else { throw malformed("it must not have a user or a password (…@)") }
        isSecure = scheme == "https://"
        (host, port) = try Self.hostAndPort(String(authority), standard: isSecure ? 443 : 80, malformed)
        let path = String(rest.dropFirst(authority.count))
        guard Self.isPath(path) else {
            throw malformed("a percent sign is not followed by two hexadecimal digits, or a bracket stands in the path")
        }
        self.path = path.hasPrefix("/") ? path : "/" + path
    }

    private static func hostAndPort(
        _ authority: String,
        standard: Int,
        _ malformed: (String) -> WebhookAddressError
    ) throws(WebhookAddressError) -> (Host, Int) {
        let hostText: Substring
        var portText: Substring?
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { throw malformed("a bracket is not closed") }
            hostText = authority[...end]
            let after = authority[authority.index(after: end)...]
            guard after.isEmpty || after.hasPrefix(":") else { throw malformed("after ‘]’ only a port may follow") }
            portText = after.isEmpty ? nil : after.dropFirst()
            guard case .address(.v6) = Host(String(hostText)) else {
                throw malformed("‘\(hostText)’ is not an IPv6 address")
            }
        } else {
            let parts = authority.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count <= 2 else {
                throw malformed("an IPv6 address must stand in brackets, or there are two ports")
            }
            hostText = parts.first ?? ""
            portText = parts.count == 2 ? parts[1] : nil
        }
        guard let host = Host(String(hostText)) else {
            throw malformed("‘\(hostText)’ is neither a host's name nor an address in its usual form")
        }
        guard let portText else { return (host, standard) }
        guard portText.utf8.allSatisfy({ $0.isDigit }), let port = Int(portText), (1...65_535).contains(port) else {
            throw malformed("‘\(portText)’ is not a port; ports are 1 to 65535")
        }
        return (host, port)
    }

    /// Whether each percent sign begins the code of a character, and no bracket is there.
    private static func isPath(_ path: String) -> Bool {
        let bytes = Array(path.utf8)
        return bytes.indices.allSatisfy { index in
            switch bytes[index] {
            case UInt8(ascii: "%"):
                index + 2 < bytes.count && bytes[index + 1].isHexadecimalDigit && bytes[index + 2].isHexadecimalDigit
            case UInt8(ascii: "["), UInt8(ascii: "]"): false
            default: true
            }
        }
    }
}

extension UInt8 {
    fileprivate var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }

    fileprivate var isLetter: Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self | 0x20) }

    fileprivate var isHexadecimalDigit: Bool {
        isDigit || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(self | 0x20)
    }

    fileprivate var isHostCharacter: Bool {
        isDigit || isLetter || self == UInt8(ascii: "-") || self == UInt8(ascii: "_")
    }

    /// What RFC 3986 lets stand in a URL.
    fileprivate var isURLCharacter: Bool {
        isDigit || isLetter || "-._~:/?#[]@!$&'()*+,;=%".utf8.contains(self)
    }
}
