// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOHTTP1

/// The host that a request says it is for.
struct HostClaim: Sendable, Equatable {
    /// The values of its `Host` fields.
    var fields: [String] = []
    /// The host in its target: an absolute URI in HTTP/1, `:authority` in HTTP/2.
    var target: String?
    /// Whether there has to be a `Host` field (RFC 9112, 3.2).
    var needsField = false
}

extension ClientConnection.Request {
    /// What a head says.
    init(_ head: HTTPRequestHead) {
        isHTTP10 = head.version.isOld
        host = HostClaim(
            fields: head.headers["host"],
            target: HostClaim.authority(of: head.uri),
            needsField: !isHTTP10
        )
    }
}

extension HostClaim {
    /// The host of an absolute URI; `nil` of a path.
    static func authority(of target: String) -> String? {
        guard !target.hasPrefix("/"), let scheme = target.firstRange(of: "://") else { return nil }
        return String(target[scheme.upperBound...].prefix { !"/?#".contains($0) })
    }
}

extension HTTPVersion {
    /// Whether it is older than HTTP/1.1: no chunks, no interim answers, no `Host`.
    var isOld: Bool { (major, minor) < (1, 1) }
}
