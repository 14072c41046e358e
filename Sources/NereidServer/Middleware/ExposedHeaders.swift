// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import HTTPTypes
import Hummingbird

/// Lets pages of other origins read the headers that answers carry: browsers want to be told so in the answer itself
/// (Fetch Standard, CORS protocol), not in the preflight alone.
struct ExposedHeaders: RouterMiddleware {
    func handle(
        _ request: Request,
        context: ServerContext,
        next: (Request, ServerContext) async throws -> Response
    ) async throws -> Response {
        var response = try await next(request, context)
        if request.headers[.origin] != nil {
            response.headers[.accessControlExposeHeaders] =
                "X-Request-ID, Server-Timing, Retry-After, Location, traceparent"
        }
        return response
    }
}
