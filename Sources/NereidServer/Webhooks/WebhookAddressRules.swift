// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Where webhooks may lead: over https to addresses of the open Internet, and else only to hosts that the operator names.
///
/// Whoever may order a job may have this server ask any URL. Without rules that would be a way into the network that the
/// server stands in.
struct WebhookAddressRules: Sendable, Equatable {
    private let allowedHosts: Set<WebhookTarget.Host>

    /// Makes the rules.
    ///
    /// - Parameter allowedHosts: hosts that may be asked over http too, whatever their addresses are.
    init(allowedHosts: [WebhookTarget.Host]) {
        self.allowedHosts = Set(allowedHosts)
    }

    /// Looks at what a URL says, before its host's name is looked up.
    ///
    /// - Throws: ``WebhookAddressError``.
    func check(_ target: WebhookTarget) throws(WebhookAddressError) {
        if allowedHosts.contains(target.host) { return }
        guard target.isSecure else { throw .notSecure(host: target.host.description) }
        switch target.host {
        case .address(let address):
            guard let purpose = address.specialPurpose else { return }
            throw .special(host: target.host.description, address: nil, purpose: purpose)
        case .name(let name):
            // RFC 6761, section 6.3: these mean this machine, whoever is asked.
            if name == "localhost" || name.hasSuffix(".localhost") {
                throw .special(host: name, address: nil, purpose: "loopback")
            }
        }
    }

    /// Looks at the addresses that a host's name leads to. One that is not allowed rules out all: which of them is connected to
    /// would be chance.
    ///
    /// - Throws: ``WebhookAddressError``.
    func check(_ addresses: [IPAddress], of target: WebhookTarget) throws(WebhookAddressError) {
        guard !addresses.isEmpty else { throw .unknownHost(target.host.description) }
        if allowedHosts.contains(target.host) { return }
        for address in addresses {
            guard let purpose = address.specialPurpose else { continue }
            throw .special(host: target.host.description, address: address.description, purpose: purpose)
        }
    }
}

/// Why a webhook is not asked.
enum WebhookAddressError: Error, Equatable, CustomStringConvertible {
    case malformed(String, reason: String)
    case notSecure(host: String)
    case special(host: String, address: String?, purpose: String)
    case unknownHost(String)

    var description: String {
        switch self {
        case .malformed(let url, let reason): "the webhook ‘\(url)’ can't be used: \(reason)"
        case .notSecure(let host):
            "the webhook's host ‘\(host)’ may only be asked over https://, unless it is named in the setting webhook_hosts"
        case .special(let host, let address, let purpose):
            "the webhook's host ‘\(host)’ \(address.map { "leads to \($0), which is" } ?? "is") not on the open Internet "
                + "(\(purpose)); it may only be asked if it is named in the setting webhook_hosts"
        case .unknownHost(let host): "the webhook's host ‘\(host)’ has no address"
        }
    }
}
