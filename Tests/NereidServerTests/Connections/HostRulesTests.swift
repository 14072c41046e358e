// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidServer

@Suite("Which hosts are answered for")
struct HostRulesTests {
    @Test(
        "a host is a name or an address, with or without a port",
        arguments: [
            ("localhost", "localhost"), ("LocalHost:8080", "localhost"), ("localhost.", "localhost"),
            ("reef.example.org:443", "reef.example.org"), ("a_b-c.example", "a_b-c.example"),
            ("127.0.0.1", "127.0.0.1"),
            ("127.0.0.1:8080", "127.0.0.1"), ("[::1]", "::1"), ("[::1]:8080", "::1"),
            ("[::ffff:127.0.0.1]:1", "127.0.0.1"),
            ("localhost:", "localhost"),
        ]
    )
    func readable(text: String, host: String) throws {
        switch try #require(HostName.reading(text)) {
        case .name(let name): #expect(name == host)
        case .address(let address): #expect(address.description == host)
        }
    }

    @Test(
        "and nothing else is",
        arguments: [
            "", ":80", "::1", "[::1", "[127.0.0.1]", "a b", "a/b", "user@host", "host:port", "host:123456", "host:-1",
            "a..b",
            ".a", "a,b", "ä.example", "[::1]x", "http://localhost", String(repeating: "a", count: 254),
        ]
    )
    func unreadable(text: String) {
        #expect(HostName.reading(text) == nil)
    }

    private func refusal(
        _ claim: HostClaim,
        hosts: [String] = [],
        address: String = "127.0.0.1",
        isForThisMachine: Bool = true,
        isHealth: Bool = false
    ) -> HostRules.Refusal? {
        let rules = HostRules(patterns: hosts.compactMap { HostRules.Pattern($0) })
        #expect(rules.patterns.count == hosts.count)
        do {
            try rules.check(
                claim,
                address: IPAddress(address),
                isForThisMachine: isForThisMachine,
                isHealth: isHealth
            )
            return nil
        } catch {
            return error
        }
    }

    private func claim(_ host: String) -> HostClaim { HostClaim(fields: [host], needsField: true) }

    @Test("a request names its host once, in one way")
    func once() {
        #expect(refusal(HostClaim(needsField: true)) == .missing)
        #expect(refusal(HostClaim(needsField: false)) == nil, "HTTP/1.0")
        #expect(refusal(HostClaim(fields: ["localhost", "localhost"])) == .repeated(2))
        #expect(refusal(claim("a b")) == .malformed("a b"))
        #expect(refusal(HostClaim(fields: ["localhost:1"], target: "localhost:1")) == nil)
        #expect(refusal(HostClaim(fields: ["LOCALHOST"], target: "localhost")) == nil)
        #expect(
            refusal(HostClaim(fields: ["localhost"], target: "reef.example"))
                == .contradictory("reef.example", "localhost")
        )
        #expect(refusal(HostClaim(target: "localhost")) == nil, "HTTP/2")
    }

    @Test(
        "a listener for this machine alone answers for this machine's own names",
        arguments: [
            ("localhost", true), ("localhost:8080", true), ("127.0.0.1:8080", true), ("127.1.2.3", true),
            ("[::1]:8080", true),
            ("reef.example", false), ("localhost.reef.example", false), ("192.168.0.7", false), ("0.0.0.0", false),
            ("[::]", false), ("10.0.0.7:8080", false), ("2130706433", false),
        ]
    )
    func ownNames(host: String, isServed: Bool) {
        let expected = isServed ? nil : HostRules.Refusal.notServed(host, isForThisMachine: true)
        #expect(refusal(claim(host)) == expected)
        // For health too: it names models.
        #expect(refusal(claim(host), isHealth: true) == expected)
        #expect(refusal(claim(host), isForThisMachine: false) == nil, "another listener, where hosts is not set")
    }

    @Test(
        "what is named in hosts is answered for, at any port, and on other listeners nothing else but the own address"
    )
    func named() {
        let hosts = ["reef.example", "*.lab.example", "10.0.0.7"]
        for (host, isServed) in [
            ("reef.example", true), ("REEF.example:8443", true), ("deep.lab.example", true), ("a.b.lab.example", true),
            ("lab.example", false), ("xlab.example", false), ("other.reef.example", false), ("10.0.0.7", true),
            ("10.0.0.8", false), ("192.168.0.5:8080", true),
        ] {
            let refused = refusal(claim(host), hosts: hosts, address: "192.168.0.5", isForThisMachine: false)
            #expect(refused == (isServed ? nil : .notServed(host, isForThisMachine: false)), "\(host)")
        }
        #expect(refusal(claim("reef.example"), hosts: hosts) == nil)
        #expect(refusal(claim("localhost"), hosts: hosts) == nil, "a loopback listener keeps its own names")
        #expect(refusal(claim("evil.example"), hosts: ["*"]) == nil)
        let local = refusal(claim("localhost"), hosts: hosts, address: "10.0.0.9", isForThisMachine: false)
        #expect(local == .notServed("localhost", isForThisMachine: false))
    }

    @Test("health is answered for any host where other machines may ask")
    func health() {
        let hosts = ["reef.example"]
        for host in ["10.0.0.9:8080", "other.example"] {
            #expect(
                refusal(claim(host), hosts: hosts, address: "10.1.1.1", isForThisMachine: false, isHealth: true) == nil
            )
            #expect(refusal(claim(host), hosts: hosts, address: "10.1.1.1", isForThisMachine: false) != nil)
        }
        #expect(refusal(HostClaim(needsField: true), isForThisMachine: false, isHealth: true) == .missing)
    }

    @Test("refusals say what to do, and repeat no more of what came than can be shown")
    func words() {
        let refused = HostRules.Refusal.notServed("reef.example:8080", isForThisMachine: true).description
        #expect(refused.contains("--hosts reef.example (setting hosts, NEREID_HOSTS)"), "\(refused)")
        let long = HostRules.Refusal.malformed(String(repeating: "a\u{1B}", count: 500)).description
        #expect(long.count < 300 && !long.contains("\u{1B}"))
        for refusal in [.missing, .repeated(2), .contradictory("a", "b")] as [HostRules.Refusal] {
            #expect(refusal.description.contains("Send"))
        }
    }

    @Test(
        "the values of the setting are names, addresses, *.NAME and *",
        arguments: ["", "a b", "*.", "*.1.2.3.4", "a:80", "http://a"]
    )
    func patterns(text: String) {
        #expect(HostRules.Pattern(text) == nil)
    }

    @Test("an absolute URI names a host, a path does not")
    func targets() {
        #expect(HostClaim.authority(of: "http://reef.example:1/a?b") == "reef.example:1")
        #expect(HostClaim.authority(of: "http://reef.example") == "reef.example")
        #expect(HostClaim.authority(of: "/a?b=http://evil") == nil)
        #expect(HostClaim.authority(of: "*") == nil)
    }
}
