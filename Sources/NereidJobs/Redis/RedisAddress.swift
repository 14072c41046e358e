// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation

/// Where a Redis server is and how to be let in, as a URL says it:
/// `redis://[USER[:PASSWORD]@]HOST[:PORT][/DATABASE]`, `rediss://` for TLS, there with `?ca=FILE` for certificates of
/// one's own authority.
///
/// Only a password, without a user, is written `redis://:PASSWORD@HOST`. Characters of user and password that mean something in
/// a URL are written as `%` and two hexadecimal digits. An IPv6 host stands in square brackets.
public struct RedisAddress: Sendable, Hashable, CustomStringConvertible {
    /// The host's name or its IP address, without brackets.
    public var host: String
    /// The port; 6379.
    public var port: Int
    /// The user of an access control list; `nil` for the default user.
    public var user: String?
    /// The password; `nil` when none is asked for.
    public var password: String?
    /// The number of the database; 0.
    public var database: Int
    /// How the connection is encrypted; `nil` for not at all.
    public var tls: TLS?

    /// How a connection is encrypted.
    public struct TLS: Sendable, Hashable {
        /// A PEM file of the authorities that are trusted; `nil` for those of the system.
        public var authorities: String?

        /// Makes settings of TLS.
        public init(authorities: String? = nil) {
            self.authorities = authorities
        }
    }

    /// Makes an address.
    public init(
        host: String,
        port: Int = 6379,
        user: String? = nil,
        password: String? = nil,
        database: Int = 0,
        tls: TLS? = nil
    ) {
        self.host = host
        self.port = port
        self.user = user
        self.password = password
        self.database = database
        self.tls = tls
    }

    /// Reads a URL.
    ///
    /// - Throws: ``RedisAddressError``.
    public init(parsing url: String) throws(RedisAddressError) {
        guard let colon = url.range(of: "://") else { throw .scheme(nil) }
        var rest = url[colon.upperBound...]
        switch url[..<colon.lowerBound].lowercased() {
        case "redis": tls = nil
        case "rediss": tls = TLS()
        case let other: throw .scheme(other)
        }
        if let mark = rest.firstIndex(of: "?") {
            for item in rest[rest.index(after: mark)...].split(separator: "&") {
                let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                guard parts[0] == "ca", parts.count == 2, let file = String(parts[1]).removingPercentEncoding,
                    !file.isEmpty
                else { throw .query(String(item)) }
                guard tls != nil else { throw .authoritiesWithoutTLS }
                tls = TLS(authorities: file)
            }
            rest = rest[..<mark]
        }
        database = 0
        if let slash = rest.lastIndex(of: "/"), !rest[slash...].contains("@") {
            let text = rest[rest.index(after: slash)...]
            if !text.isEmpty {
                guard let number = Int(text), number >= 0 else { throw .database(String(text)) }
                database = number
            }
            rest = rest[..<slash]
        }
        (user, password) = (nil, nil)
        if let at = rest.lastIndex(of: "@") {
            let parts = rest[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            let decoded = parts.map { String($0).removingPercentEncoding }
            guard let name = decoded[0], let secret = decoded.count == 2 ? decoded[1] : "" else { throw .credentials }
            user = name.isEmpty ? nil : name
            password = secret.isEmpty ? nil : secret
            guard user == nil || password != nil else { throw .userWithoutPassword(name) }
            rest = rest[rest.index(after: at)...]
        }
        var portText: Substring?
        if rest.first == "[" {
            guard let bracket = rest.firstIndex(of: "]") else { throw .host(String(rest)) }
            host = String(rest[rest.index(after: rest.startIndex)..<bracket])
            let tail = rest[rest.index(after: bracket)...]
            guard tail.isEmpty || tail.first == ":" else { throw .host(String(rest)) }
            portText = tail.isEmpty ? nil : tail.dropFirst()
        } else {
            let parts = rest.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count <= 2 else { throw .host(String(rest)) }
            host = String(parts[0])
            portText = parts.count == 2 ? parts[1] : nil
        }
        guard !host.isEmpty, !host.contains(where: { $0.isWhitespace || $0 == "/" }) else { throw .host(String(rest)) }
        port = 6379
        if let portText {
            guard let number = Int(portText), (1...65535).contains(number) else { throw .port(String(portText)) }
            port = number
        }
    }

    /// The URL without the password, for logs and messages.
    public var description: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return "\(tls == nil ? "redis" : "rediss")://\(user.map { "\($0)@" } ?? "")\(name):\(port)/\(database)"
    }
}

/// Why a text is no ``RedisAddress``.
///
/// No message repeats the part of a URL in which a password may stand.
public enum RedisAddressError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The URL begins neither with `redis://` nor with `rediss://`.
    case scheme(String?)
    /// The host is missing or can't be read.
    case host(String)
    /// The port is no number from 1 to 65535.
    case port(String)
    /// The database is no number from 0.
    case database(String)
    /// User and password hold a `%` that two hexadecimal digits do not follow.
    case credentials
    /// A user without a password.
    case userWithoutPassword(String)
    /// Something else than `ca=FILE` follows the question mark.
    case query(String)
    /// `ca=FILE` where nothing is encrypted.
    case authoritiesWithoutTLS

    /// What happened, to what, and what to do.
    public var description: String {
        switch self {
        case .scheme(let scheme):
            "a Redis URL begins with redis:// or rediss:// (with TLS)\(scheme.map { ", not with \($0)://" } ?? ""); "
                + "for example redis://localhost:6379/0"
        case .host(let host):
            "‘\(host)’ is no host of a Redis URL. Write redis://HOST:PORT/DATABASE, and IPv6 addresses as redis://[::1]:6379/0"
        case .port(let port):
            "the port ‘\(port)’ of the Redis URL is no number from 1 to 65535; the usual one is 6379"
        case .database(let database):
            "the database ‘\(database)’ of the Redis URL is no number from 0; the usual one is 0. "
                + "Write a ‘/’ in a password as %2F"
        case .credentials:
            "user and password of the Redis URL can't be read: write ‘%’ as %25, ‘@’ as %40, ‘:’ as %3A and ‘/’ as %2F"
        case .userWithoutPassword(let user):
            "the Redis URL names the user ‘\(user)’ without a password. Write redis://USER:PASSWORD@HOST, "
                + "or redis://:PASSWORD@HOST for the default user"
        case .query(let item):
            "‘\(item)’ of the Redis URL means nothing here; only ca=FILE does, the certificates to trust"
        case .authoritiesWithoutTLS:
            "the Redis URL names certificates to trust, but does not ask for TLS. Begin it with rediss://"
        }
    }
}
