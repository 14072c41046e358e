// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidServer

@Suite("Addresses")
struct IPAddressTests {
    static let notPublic: [(String, String)] = [
        ("0.0.0.0", "“this network”"), ("0.255.255.255", "“this network”"), ("10.0.0.0", "private"),
        ("10.255.255.255", "private"), ("100.64.0.0", "a carrier's own (CGNAT)"),
        ("100.127.255.255", "a carrier's own (CGNAT)"), ("127.0.0.1", "loopback"), ("127.255.255.255", "loopback"),
        ("169.254.0.0", "link-local"), ("169.254.169.254", "link-local"), ("169.254.255.255", "link-local"),
        ("172.16.0.0", "private"), ("172.31.255.255", "private"), ("192.0.0.0", "for protocols"),
        ("192.0.0.170", "for protocols"), ("192.0.0.255", "for protocols"), ("192.0.2.0", "for documentation"),
        ("192.0.2.255", "for documentation"), ("192.88.99.1", "for 6to4 relays"), ("192.168.0.0", "private"),
        ("192.168.255.255", "private"), ("198.18.0.0", "for benchmarks"), ("198.19.255.255", "for benchmarks"),
        ("198.51.100.1", "for documentation"), ("203.0.113.255", "for documentation"), ("224.0.0.1", "multicast"),
        ("239.255.255.255", "multicast"), ("240.0.0.0", "reserved"), ("255.255.255.255", "reserved"),
        ("::", "unspecified"), ("::1", "loopback"), ("::2", "reserved"), ("::7f00:1", "reserved"),
        ("::ffff:127.0.0.1", "IPv4-mapped"), ("::ffff:8.8.8.8", "IPv4-mapped"), ("64:ff9b::10.0.0.1", "private"),
        ("64:ff9b::169.254.169.254", "link-local"), ("64:ff9b::127.0.0.1", "loopback"),
        ("64:ff9b:1::808:808", "for local translators"), ("64:ff9b:0:0:1::1", "reserved"), ("100::1", "reserved"),
        ("1fff:ffff::1", "reserved"), ("2001::1", "for protocols (Teredo and others)"),
        ("2001:10::1", "for protocols (Teredo and others)"), ("2001:1ff:ffff::", "for protocols (Teredo and others)"),
        ("2001:db8::1", "for documentation"), ("2002:7f00:1::1", "6to4"), ("2002:808:808::1", "6to4"),
        ("3fff::1", "for documentation"), ("3fff:fff:ffff::1", "for documentation"), ("4000::1", "reserved"),
        ("5f00::1", "reserved"), ("fbff::1", "reserved"), ("fc00::1", "private (ULA)"),
        ("fd12:3456::1", "private (ULA)"),
        ("fe80::1", "link-local"), ("febf::1", "link-local"), ("fec0::1", "site-local"), ("fe00::1", "reserved"),
        ("ff02::1", "multicast"), ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "multicast"),
    ]

    @Test("that are not of the open Internet are told, with what they are", arguments: notPublic)
    func special(text: String, purpose: String) throws {
        #expect(try #require(IPAddress(text)).specialPurpose == purpose)
    }

    static let open = [
        "1.0.0.0", "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255", "192.0.1.0",
        "192.0.3.0", "192.88.98.255", "192.88.100.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0",
        "198.51.99.255", "198.51.101.0", "203.0.112.255", "203.0.114.0", "223.255.255.255", "2000::1", "2001:200::1",
        "2001:db7:ffff::1", "2001:db9::1", "2001:4860:4860::8888", "2003::1", "2606:4700:4700::1111", "3ffe::1",
        "3fff:1000::1", "64:ff9b::8.8.8.8",
    ]

    @Test("next to these are open", arguments: open)
    func global(text: String) throws {
        #expect(try #require(IPAddress(text)).specialPurpose == nil)
    }

    @Test("are read in their usual form only, and written so")
    func writing() {
        for text in ["8.8.8.8", "255.0.10.1", "::", "::1", "2001:db8::1", "fe80::1:2", "1:2:3:4:5:6:7:8"] {
            #expect(IPAddress(text)?.description == text)
        }
        #expect(IPAddress("2001:DB8:0:0::1")?.description == "2001:db8::1")
        let odd = [
            "", "1", "127.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1", "01.2.3.4", "1.2.3.4.", "1.2.3", "256.1.1.1",
            " 1.1.1.1",
            "1.1.1.1 ", "1.1.1.1/8", "::1%lo", "fe80::1%eth0", "[::1]", ":::", "1::2::3", "12345::", "localhost",
        ]
        for text in odd { #expect(IPAddress(text) == nil, "\(text)") }
    }
}
