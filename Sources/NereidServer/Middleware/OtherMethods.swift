// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import HTTPTypes
import Hummingbird

/// Tells a path with other methods from one that leads nowhere (RFC 9110, sections 15.5.6, 9.3.7 and 10.2.1).
///
/// The router knows both as “not found”. Added after all routes, this runs where none of them has answered.
struct OtherMethods: RouterMiddleware {
    private let paths: [Path]

    fileprivate struct Path {
        let elements: [RouterPath.Element]
        let methods: Set<HTTPRequest.Method>
    }

    init(_ routes: [Router<ServerContext>.RouteDescription]) {
        paths = Dictionary(grouping: routes) { $0.path.description }.values.map { routes in
            var methods = Set(routes.map(\.method))
            // The router makes an answer to HEAD of that to GET.
            if methods.contains(.get) { methods.insert(.head) }
            methods.insert(.options)
            return Path(elements: Array(routes[0].path), methods: methods)
        }
    }

    func handle(
        _ request: Request,
        context: ServerContext,
        next: (Request, ServerContext) async throws -> Response
    ) async throws -> Response {
        let parts = request.uri.path.split(separator: "/")
        let methods = paths.filter { $0.matches(parts) }.reduce(into: Set<HTTPRequest.Method>()) {
            $0.formUnion($1.methods)
        }
        guard !methods.isEmpty else { return try await next(request, context) }
        let allowed = methods.map(\.rawValue).sorted().joined(separator: ", ")
        if request.method == .options { return Response(status: .noContent, headers: [.allow: allowed]) }
        throw Problem(
            status: .methodNotAllowed,
            code: .methodNotAllowed,
            detail: "\(request.uri.path.prefix(200)) has no method \(request.method.rawValue.prefix(20)); "
                + "it has \(allowed)",
            fields: [.allow: allowed]
        )
    }
}

extension OtherMethods.Path {
    func matches(_ parts: [Substring]) -> Bool {
        parts.count == elements.count && zip(elements, parts).allSatisfy { $0 ~= $1 }
    }
}
