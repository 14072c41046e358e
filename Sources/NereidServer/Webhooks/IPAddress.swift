// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// An address of the Internet Protocol.
enum IPAddress: Sendable, Hashable {
    case v4(UInt32)
    case v6(UInt128)

    /// Reads the one usual way of writing an address: four decimal numbers without leading zeros, or what RFC 4291 says in
    /// section 2.2. No zones.
    init?(_ text: String) {
        var v4 = in_addr()
        var v6 = in6_addr()
        if inet_pton(AF_INET, text, &v4) == 1 {
            self.init(v4)
        } else if inet_pton(AF_INET6, text, &v6) == 1 {
            self.init(v6)
        } else {
            return nil
        }
    }

    /// An address as the system has it.
    init(_ address: in_addr) {
        self = .v4(UInt32(bigEndian: address.s_addr))
    }

    /// An address as the system has it.
    init(_ address: in6_addr) {
        self = withUnsafeBytes(of: address) { bytes in .v6(bytes.reduce(0) { $0 << 8 | UInt128($1) }) }
    }
}

extension IPAddress: CustomStringConvertible {
    /// The usual way of writing it.
    var description: String {
        switch self {
        case .v4(let number):
            return stride(from: 24, through: 0, by: -8).map { String(number >> $0 & 0xFF) }.joined(separator: ".")
        case .v6(let number):
            var address = in6_addr()
            withUnsafeMutableBytes(of: &address) { bytes in
                for index in 0..<16 { bytes[index] = UInt8(truncatingIfNeeded: number >> (120 - 8 * index)) }
            }
            return withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { room in
                inet_ntop(AF_INET6, &address, room.baseAddress, socklen_t(room.count)).map(String.init(cString:))
                    ?? "::"
            }
        }
    }
}

extension IPAddress {
    /// What the address is for, if it is not one of the open Internet: such as `private` or `loopback`.
    ///
    /// IPv4: IANA IPv4 Special-Purpose Address Registry, all blocks that are not globally reachable, multicast (RFC 5771) and
    /// the former class E. IPv6: everything that is not global unicast (2000::/3), and of that the blocks of the IANA IPv6
    /// Special-Purpose Address Registry that are not globally reachable, or that carry an address of the other kind. Of an
    /// address behind a translator (64:ff9b::/96, RFC 6052) counts the one that it stands for.
    var specialPurpose: String? {
        switch self {
        case .v4:
            return Self.specialV4.first { $0.block.contains(self) }?.purpose
        case .v6(let number):
            if Self.translated.contains(self) { return Self.v4(UInt32(truncatingIfNeeded: number)).specialPurpose }
            if let special = Self.specialV6.first(where: { $0.block.contains(self) }) { return special.purpose }
            return Self.globalUnicast.contains(self) ? nil : "reserved"
        }
    }

    private typealias Special = (block: AddressBlock, purpose: String)

    private static let specialV4: [Special] = [
        (AddressBlock("0.0.0.0", 8), "“this network”"),
        (AddressBlock("10.0.0.0", 8), "private"),
        (AddressBlock("100.64.0.0", 10), "a carrier's own (CGNAT)"),
        (AddressBlock("127.0.0.0", 8), "loopback"),
        (AddressBlock("169.254.0.0", 16), "link-local"),
        (AddressBlock("172.16.0.0", 12), "private"),
        (AddressBlock("192.0.0.0", 24), "for protocols"),
        (AddressBlock("192.0.2.0", 24), "for documentation"),
        (AddressBlock("192.88.99.0", 24), "for 6to4 relays"),
        (AddressBlock("192.168.0.0", 16), "private"),
        (AddressBlock("198.18.0.0", 15), "for benchmarks"),
        (AddressBlock("198.51.100.0", 24), "for documentation"),
        (AddressBlock("203.0.113.0", 24), "for documentation"),
        (AddressBlock("224.0.0.0", 4), "multicast"),
        (AddressBlock("240.0.0.0", 4), "reserved"),
    ]

    private static let translated = AddressBlock("64:ff9b::", 96)
    private static let globalUnicast = AddressBlock("2000::", 3)

    private static let specialV6: [Special] = [
        (AddressBlock("::", 128), "unspecified"),
        (AddressBlock("::1", 128), "loopback"),
        (AddressBlock("::ffff:0:0", 96), "IPv4-mapped"),
        (AddressBlock("64:ff9b:1::", 48), "for local translators"),
        (AddressBlock("2001::", 23), "for protocols (Teredo and others)"),
        (AddressBlock("2001:db8::", 32), "for documentation"),
        (AddressBlock("2002::", 16), "6to4"),
        (AddressBlock("3fff::", 20), "for documentation"),
        (AddressBlock("fc00::", 7), "private (ULA)"),
        (AddressBlock("fe80::", 10), "link-local"),
        (AddressBlock("fec0::", 10), "site-local"),
        (AddressBlock("ff00::", 8), "multicast"),
    ]
}

/// All addresses that begin with the same bits.
private struct AddressBlock: Sendable {
    private let first: IPAddress
    private let bits: Int

    init(_ first: StaticString, _ bits: Int) {
        // The tables above are the only ones to call this, and a test looks at every line of them.
        self.first = IPAddress("\(first)")!
        self.bits = bits
    }

    func contains(_ address: IPAddress) -> Bool {
        switch (first, address) {
        case (.v4(let first), .v4(let address)): first >> (32 - bits) == address >> (32 - bits)
        case (.v6(let first), .v6(let address)): first >> (128 - bits) == address >> (128 - bits)
        default: false
        }
    }
}
