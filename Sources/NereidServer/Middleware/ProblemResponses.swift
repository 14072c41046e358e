// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Hummingbird

/// The innermost layer: whatever a route throws becomes an answer here, so that the layers around it see answers only.
struct ProblemResponses: RouterMiddleware {
    /// Says when there will be room for what was refused; `nil` where nothing is refused for lack of it.
    var estimates: RoomEstimates?

    func handle(
        _ request: Request,
        context: ServerContext,
        next: (Request, ServerContext) async throws -> Response
    ) async throws -> Response {
        var response = try await answer(request, context, next)
        // Answers in other formats have it too.
        if response.headers[.retryAfter] != nil, let code = context.record.current.problem,
            let estimate = await estimates?.time(for: code, context.record.current)
        {
            response.headers[.retryAfter] = String(estimate.time.components.seconds)
        }
        return response
    }

    private func answer(
        _ request: Request,
        _ context: ServerContext,
        _ next: (Request, ServerContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch {
            let problem = Problem(error)
            context.record.update { $0.problem = problem.code }
            if problem.code == .internalError {
                context.logger.error("request failed", metadata: ["error": "\(error)"])
            }
            // An answer to HEAD has no body, or its client takes that for the next answer.
            return request.method == .head ? problem.response.createHeadResponse() : problem.response
        }
    }
}
