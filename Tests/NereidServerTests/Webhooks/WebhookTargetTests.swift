// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidServer

@Suite("Where webhooks may lead")
struct WebhookTargetTests {
    static let read: [(String, String)] = [
        ("https://hooks.example.org/done", "https://hooks.example.org/done"),
        ("HTTPS://Hooks.Example.ORG", "https://hooks.example.org/"),
        ("https://hooks.example.org.", "https://hooks.example.org/"),
        ("https://hooks.example.org:443/a?b=c&d=%20", "https://hooks.example.org/a?b=c&d=%20"),
        ("https://hooks.example.org:8443?x", "https://hooks.example.org:8443/?x"),
        ("http://hooks:80/", "http://hooks/"), ("http://hooks:443/", "http://hooks:443/"),
        ("https://8.8.8.8:1/", "https://8.8.8.8:1/"),
        ("https://[2001:DB8:0::1]:65535/x", "https://[2001:db8::1]:65535/x"),
        ("https://a_b-c.example/@path:1", "https://a_b-c.example/@path:1"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"),
    ]

    @Test("is read from URLs and written in one way", arguments: read)
    func reading(text: String, expected: String) throws {
        let target = try WebhookTarget(text)
        #expect(target.url == expected)
        #expect(try WebhookTarget(target.url) == target)
    }

    static let refused: [(String, String)] = [
        ("", "must begin with https://"), ("hooks.example.org", "must begin with https://"),
        ("ftp://hooks.example.org/", "must begin with https://"), ("file:///etc/passwd", "must begin with https://"),
        ("//hooks.example.org/", "must begin with https://"), ("https:/hooks.example.org", "must begin with https://"),
        ("https:\\\\hooks.example.org", "characters that a URL can't have"),
        ("https://good.example\\@10.0.0.1/", "characters that a URL can't have"),
        ("https://hooks.example.org/a b", "characters that a URL can't have"),
        ("https://hooks.example.org/\r\nHost: x", "characters that a URL can't have"),
        ("https://hööks.example.org/", "characters that a URL can't have"),
        ("https://hooks.example.org/#x", "fragment"), ("https://good.example#@10.0.0.1/", "fragment"),
        ("https://user@hooks.example.org/", "a user or a password"),
        ("https://user:word@hooks.example.org/", "a user or a password"),
        ("https://@hooks.example.org/", "a user or a password"), ("https:///path", "neither a host's name"),
        ("https://?x", "neither a host's name"), ("https://:443/", "neither a host's name"),
        ("https://2130706433/", "neither a host's name"), ("https://0x7f000001/", "neither a host's name"),
        ("https://127.1/", "neither a host's name"), ("https://0177.0.0.1/", "neither a host's name"),
        ("https://0x7f.0.0.1/", "neither a host's name"), ("https://127.0.0.0x1/", "neither a host's name"),
        ("https://1.2.3.4.5/", "neither a host's name"), ("https://256.1.1.1/", "neither a host's name"),
        ("https://127.0.0.1./", "neither a host's name"), ("https://hooks.example.1/", "neither a host's name"),
        ("https://hooks..example/", "neither a host's name"), ("https://.example/", "neither a host's name"),
        ("https://-a.example/", "neither a host's name"), ("https://a-.example/", "neither a host's name"),
        ("https://a%2eb/", "neither a host's name"), ("https://a*b/", "neither a host's name"),
        ("https://\(String(repeating: "a", count: 64)).example/", "neither a host's name"),
        ("https://\(String(repeating: "a.", count: 127))example/", "neither a host's name"),
        ("https://::1/", "must stand in brackets"), ("https://a:1:2/", "must stand in brackets"),
        ("https://[::1/", "not closed"), ("https://[fe80::1%25eth0]/", "is not an IPv6 address"),
        ("https://[127.0.0.1]/", "is not an IPv6 address"), ("https://[name]/", "is not an IPv6 address"),
        ("https://[::1]x/", "only a port may follow"), ("https://a:/", "is not a port"),
        ("https://a:0/", "is not a port"),
        ("https://a:65536/", "is not a port"), ("https://a:+1/", "is not a port"), ("https://a:0x50/", "is not a port"),
        ("https://a:99999999999999999999/", "is not a port"), ("https://a/%", "percent sign"),
        ("https://a/%2", "percent sign"), ("https://a/%zz", "percent sign"), ("https://a/[x]", "percent sign"),
        ("https://a/\(String(repeating: "x", count: 2048))", "longer than 2048 bytes"),
    ]

    @Test("is not read from what has two readings", arguments: refused)
    func refusing(text: String, words: String) {
        let error = #expect(throws: WebhookAddressError.self) { try WebhookTarget(text) }
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
    }

    private func check(_ url: String, allowed: [String] = []) throws {
        let rules = WebhookAddressRules(allowedHosts: allowed.compactMap { WebhookTarget.Host($0) })
        try rules.check(try WebhookTarget(url))
    }

    @Test("is the open Internet over https, and beside it what the operator names")
    func rules() throws {
        for url in ["https://hooks.example.org/", "https://8.8.8.8/", "https://[2606:4700:4700::1111]:8443/"] {
            try check(url)
            let secure = try WebhookTarget(url)
            #expect(throws: WebhookAddressError.notSecure(host: "\(secure.host)")) {
                try check(url.replacing("https", with: "http"))
            }
        }
        let closed = [
            ("https://10.1.2.3/", "10.1.2.3", "private"), ("https://127.0.0.1:8080/", "127.0.0.1", "loopback"),
            ("https://[::1]/", "[::1]", "loopback"), ("https://[fd00::1]/", "[fd00::1]", "private (ULA)"),
            ("https://[::ffff:8.8.8.8]/", "[::ffff:8.8.8.8]", "IPv4-mapped"),
            ("https://localhost/", "localhost", "loopback"),
            ("https://LOCALHOST./", "localhost", "loopback"), ("https://a.localhost/", "a.localhost", "loopback"),
        ]
        for (url, host, purpose) in closed {
            #expect(throws: WebhookAddressError.special(host: host, address: nil, purpose: purpose)) { try check(url) }
            // Named, they may be asked over http too.
            try check(url, allowed: [host])
            try check(url.replacing("https", with: "http"), allowed: [host])
        }
        // An address has many spellings, a name's neighbours are not meant.
        try check("http://[0:0::1]/", allowed: ["::1"])
        try check("http://Hooks.Lab/", allowed: ["hooks.lab."])
        for url in ["http://x.hooks.lab/", "http://hooks.lab.example/", "http://10.0.0.2/"] {
            #expect(throws: WebhookAddressError.self) { try check(url, allowed: ["hooks.lab", "10.0.0.1"]) }
        }
    }

    @Test("is decided by all addresses of a name")
    func addresses() throws {
        let rules = WebhookAddressRules(allowedHosts: [.name("inside.example")])
        let open = try ["8.8.8.8", "2606:4700:4700::1111"].map { try #require(IPAddress($0)) }
        let closed = try #require(IPAddress("10.0.0.1"))
        let target = try WebhookTarget("https://hooks.example.org/")
        try rules.check(open, of: target)
        for addresses in [[closed], [closed] + open, open + [closed]] {
            let error = #expect(throws: WebhookAddressError.self) { try rules.check(addresses, of: target) }
            #expect(
                error?.description
                    == "the webhook's host ‘hooks.example.org’ leads to 10.0.0.1, which is not on the open "
                    + "Internet (private); it may only be asked if it is named in the setting webhook_hosts"
            )
            try rules.check(addresses, of: try WebhookTarget("http://inside.example/"))
        }
        #expect(throws: WebhookAddressError.unknownHost("hooks.example.org")) { try rules.check([], of: target) }
        #expect(throws: WebhookAddressError.unknownHost("inside.example")) {
            try rules.check([], of: try WebhookTarget("http://inside.example/"))
        }
    }

    @Test("is looked up by the system")
    func lookUp() async throws {
        let addresses = try await HostResolver.system.addresses("localhost")
        #expect(!addresses.isEmpty && addresses.allSatisfy { $0.specialPurpose == "loopback" })
        #expect(try await HostResolver.system.addresses("no-such-host.invalid").isEmpty)
    }
}
