// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// A host as a URI names it, without a port: a name or an address.
enum HostName: Sendable, Hashable {
    /// In lower case, without a dot at its end.
    case name(String)
    case address(IPAddress)

    /// Reads a host without a port. Addresses of IPv6 are in brackets, as in a URI, or bare.
    init?(_ text: some StringProtocol) {
        if text.hasPrefix("["), text.hasSuffix("]") {
            guard case .v6(let number)? = IPAddress(String(text.dropFirst().dropLast())) else { return nil }
            self = .address(IPAddress.v6(number).unmapped)
        } else if let address = IPAddress(String(text)) {
            self = .address(address.unmapped)
        } else {
            let name = text.hasSuffix(".") ? text.dropLast() : text[...]
            guard (1...253).contains(name.utf8.count), !name.hasPrefix("."), !name.hasSuffix(".") else { return nil }
            guard name.utf8.allSatisfy(\.isOfName), !name.contains("..") else { return nil }
            self = .name(name.lowercased())
        }
    }

    /// Reads `host [ ":" port ]` (RFC 9110, 7.2).
    static func reading(_ field: String) -> HostName? {
        let afterAddress = field.lastIndex(of: "]") ?? field.startIndex
        guard let colon = field[afterAddress...].firstIndex(of: ":") else { return HostName(field) }
        let port = field[field.index(after: colon)...].utf8
        guard port.count <= 5, port.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            return nil
        }
        let host = field[..<colon]
        // A bare address of IPv6 is none here: what follows its first colon is no port.
        return HostName(host)
    }
}

extension UInt8 {
    /// A letter, a digit, `-`, `_` or `.` of ASCII.
    fileprivate var isOfName: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
            true
        default: false
        }
    }
}
