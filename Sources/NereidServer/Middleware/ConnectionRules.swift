// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import HTTPTypes
import Hummingbird

/// Refuses requests for a host that this server does not answer for, and, where there are too many connections, all but those
/// that ask for health.
struct ConnectionRules: RouterMiddleware {
    let hosts: HostRules
    let limit: ConnectionLimit
    /// The setting `max_connections`.
    let maxConnections: Int

    func handle(
        _ request: Request,
        context: ServerContext,
        next: (Request, ServerContext) async throws -> Response
    ) async throws -> Response {
        if let connection = context.connection {
            let isHealth = request.uri.path == "/health/live" || request.uri.path == "/health/ready"
            do {
                try hosts.check(
                    connection.hostClaim ?? HostClaim(request.head),
                    address: connection.address,
                    isForThisMachine: connection.isForThisMachine,
                    isHealth: isHealth
                )
            } catch {
                throw Problem(error)
            }
            if connection.isReserved, !isHealth {
                throw Problem(
                    status: .serviceUnavailable,
                    code: .tooManyConnections,
                    detail: "\(maxConnections) connections are open, the most there may be (setting max_connections). "
                        + "Try again after the time in Retry-After",
                    retryAfter: limit.timeUntilRoom.map { RetryAfter($0).time } ?? .seconds(2),
                    closesConnection: true
                )
            }
        }
        return try await next(request, context)
    }
}

extension Problem {
    /// A request for a host that is not answered for.
    init(_ refusal: HostRules.Refusal) {
        switch refusal {
        case .notServed:
            self.init(status: .misdirectedRequest, code: .hostNotServed, detail: refusal.description)
        default:
            self.init(
                status: .badRequest,
                code: .badRequest,
                detail: refusal.description,
                closesConnection: true
            )
        }
    }
}

extension HostClaim {
    /// What a head of HTTP/2 says (RFC 9113, 8.3.1).
    init(_ head: HTTPRequest) {
        target = head.authority
        fields = HTTPField.Name("Host").map { head.headerFields[values: $0] } ?? []
        needsField = target == nil
    }
}
