// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Which hosts a request may be for.
///
/// A page of another site can have its own name lead to 127.0.0.1 after it was loaded (DNS rebinding); its scripts then speak to
/// this server as if it were theirs, but with that name in `Host`. So a listener that only this machine reaches answers for
/// this machine's own names only, and others where the setting `hosts` says for which.
struct HostRules: Sendable, Equatable {
    /// One value of the setting `hosts`.
    enum Pattern: Sendable, Hashable {
        case any
        case host(HostName)
        /// Every name below one: `*.example.org`.
        case below(String)

        /// Reads `*`, a name, an address, or `*.` and a name.
        init?(_ text: String) {
            if text == "*" {
                self = .any
            } else if text.hasPrefix("*.") {
                guard case .name(let name)? = HostName(text.dropFirst(2)) else { return nil }
                self = .below(name)
            } else {
                guard let host = HostName(text) else { return nil }
                self = .host(host)
            }
        }

        func matches(_ host: HostName) -> Bool {
            switch self {
            case .any: return true
            case .host(let own): return own == host
            case .below(let parent):
                guard case .name(let name) = host else { return false }
                return name.hasSuffix(".\(parent)")
            }
        }
    }

    /// Why a request is refused.
    enum Refusal: Error, Equatable {
        case missing
        case repeated(Int)
        case malformed(String)
        case contradictory(String, String)
        case notServed(String, isForThisMachine: Bool)
    }

    /// The setting `hosts`.
    var patterns: [Pattern] = []

    /// Checks what a request says.
    ///
    /// - Parameters:
    ///   - address: the address that the client has connected to.
    ///   - isForThisMachine: whether the listener is for this machine alone.
    ///   - isHealth: whether health is asked for, which load balancers do by address.
    func check(_ claim: HostClaim, address: IPAddress?, isForThisMachine: Bool, isHealth: Bool) throws(Refusal) {
        if claim.fields.count > 1 { throw .repeated(claim.fields.count) }
        if claim.fields.isEmpty, claim.needsField { throw .missing }
        guard let text = claim.target ?? claim.fields.first else {
            // Only HTTP/1.0 gets here, which browsers do not speak.
            return
        }
        guard let host = HostName.reading(text) else { throw .malformed(text) }
        if let field = claim.fields.first, field.lowercased() != text.lowercased() {
            throw .contradictory(text, field)
        }
        if isForThisMachine || !patterns.isEmpty, !(isHealth && !isForThisMachine) {
            guard serves(host, at: address) else { throw .notServed(text, isForThisMachine: isForThisMachine) }
        }
    }

    private func serves(_ host: HostName, at address: IPAddress?) -> Bool {
        if patterns.contains(where: { $0.matches(host) }) { return true }
        switch host {
        case .address(let named):
            // Nobody else's name can lead to an address that is written out.
            return named == address || named.isLoopback && address?.isLoopback == true
        case .name(let name):
            return name == "localhost" && address?.isLoopback == true
        }
    }
}

extension HostRules.Refusal: CustomStringConvertible {
    /// What happened, and what to do.
    var description: String {
        switch self {
        case .missing:
            "the request has no Host field, which HTTP/1.1 requires. Send one: Host: NAME"
        case .repeated(let count):
            "the request has \(count) Host fields. Send one"
        case .malformed(let text):
            "the request's host ‘\(text.shown)’ is not a name or an address with or without a port"
        case .contradictory(let target, let field):
            "the request is for ‘\(target.shown)’, but its Host field says ‘\(field.shown)’. Send the same in both"
        case .notServed(let host, let isForThisMachine):
            (isForThisMachine
                ? "this server listens for this machine alone, and is asked as ‘\(host.shown)’. Ask it as localhost"
                : "this server is asked as ‘\(host.shown)’, which is not one of its hosts. Ask it by one of those")
                + ", or let it answer for that name: --hosts \(host.shown.withoutPort) (setting hosts, NEREID_HOSTS)"
        }
    }
}

extension String {
    /// The text, cut and without what is not printed, so that it can be shown.
    fileprivate var shown: String { String(prefix(100).map { $0.isASCII && $0 > " " && $0 < "\u{7F}" ? $0 : "?" }) }

    fileprivate var withoutPort: String {
        guard let host = HostName.reading(self) else { return self }
        switch host {
        case .name(let name): return name
        case .address(let address): return address.description
        }
    }
}
