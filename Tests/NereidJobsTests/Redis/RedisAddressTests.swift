// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidJobs
import Testing

@Suite("Address of Redis")
struct RedisAddressTests {
    @Test(
        "reads every part of a URL",
        arguments: [
            ("redis://localhost", RedisAddress(host: "localhost")),
            ("redis://localhost/", RedisAddress(host: "localhost")),
            ("REDIS://cache.example.org:7000/3", RedisAddress(host: "cache.example.org", port: 7000, database: 3)),
            ("redis://:secret@localhost", RedisAddress(host: "localhost", password: "secret")),
            (
                "redis://worker:p%40ss%2F%3A@10.0.0.7:6380/1",
                RedisAddress(host: "10.0.0.7", port: 6380, user: "worker", password: "p@ss/:", database: 1)
            ),
            ("redis://[::1]:6379/0", RedisAddress(host: "::1")),
            ("redis://[2001:db8::5]", RedisAddress(host: "2001:db8::5")),
            ("rediss://localhost:6380", RedisAddress(host: "localhost", port: 6380, tls: .init())),
            (
                "rediss://localhost/2?ca=/etc/my%20ca.pem",
                RedisAddress(host: "localhost", database: 2, tls: .init(authorities: "/etc/my ca.pem"))
            ),
        ]
    )
    func parts(url: String, expected: RedisAddress) throws {
        #expect(try RedisAddress(parsing: url) == expected)
    }

    @Test(
        "says what is wrong with a URL and what to write",
        arguments: [
            ("localhost:6379", RedisAddressError.scheme(nil), "redis://localhost:6379/0"),
            ("http://localhost", .scheme("http"), "not with http://"),
            ("redis://", .host(""), "redis://HOST:PORT/DATABASE"),
            ("redis://::1:6379", .host("::1:6379"), "[::1]"),
            ("redis://[::1", .host("[::1"), "[::1]"),
            ("redis://localhost:0", .port("0"), "1 to 65535"),
            ("redis://localhost:70000", .port("70000"), "1 to 65535"),
            ("redis://localhost/one", .database("one"), "from 0"),
            ("redis://localhost/-1", .database("-1"), "from 0"),
            ("redis://:%zz@localhost", .credentials, "%25"),
            ("redis://me@localhost", .userWithoutPassword("me"), "USER:PASSWORD"),
            ("rediss://localhost?certificate=x", .query("certificate=x"), "ca=FILE"),
            ("redis://localhost?ca=x", .authoritiesWithoutTLS, "rediss://"),
        ]
    )
    func errors(url: String, expected: RedisAddressError, advice: String) {
        #expect(throws: expected) { try RedisAddress(parsing: url) }
        #expect(expected.description.contains(advice))
    }

    @Test("does not show a password")
    func secret() throws {
        let address = try RedisAddress(parsing: "rediss://me:secret@[::1]:1234/5")
        #expect(address.description == "rediss://me@[::1]:1234/5")
    }
}
