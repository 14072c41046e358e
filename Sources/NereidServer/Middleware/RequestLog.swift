// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import HTTPTypes
import Hummingbird
import Logging
import NereidJobs

/// The outermost layer: gives the request its id and every answer that id, writes the one log line, and counts.
struct RequestLog: RouterMiddleware {
    let metrics: ServerMetrics

    func handle(
        _ request: Request,
        context: ServerContext,
        next: (Request, ServerContext) async throws -> Response
    ) async throws -> Response {
        let clock = ContinuousClock()
        let begun = clock.now
        var context = context
        context.identify(by: request.headers)
        var response = try await next(request, context)
        response.headers[.requestID] = context.requestID
        if let trace = context.trace { response.headers[.traceParent] = trace.description }
        let record = context.record.current
        if let timing = record.timing, record.timings.count == 1 {
            response.headers[.serverTiming] = timing.serverTiming
        }
        let whole = clock.now - begun
        metrics.count(record, status: response.status, whole: whole, endpoint: context.endpointPath)
        write(record, request: request, status: response.status, whole: whole, to: context.logger)
        return response
    }

    private func write(
        _ record: RequestRecord.Content,
        request: Request,
        status: HTTPResponse.Status,
        whole: Duration,
        to logger: Logger
    ) {
        var metadata: Logger.Metadata = [
            "method": "\(request.method)", "path": "\(request.uri.path)", "status": "\(status.code)",
            "whole_ms": "\(whole.milliseconds)",
        ]
        if let model = record.model {
            metadata["model"] = "\(model)"
            metadata["pictures"] = "\(record.pictures)"
            if record.order == nil { metadata["detections"] = "\(record.detections)" }
        }
        if let timing = record.timing {
            metadata["queue_ms"] = "\(timing.queue.milliseconds)"
            metadata["decode_ms"] = "\(timing.decode.milliseconds)"
            metadata["inference_ms"] = "\(timing.inference.milliseconds)"
            metadata["postprocess_ms"] = "\(timing.postprocessing.milliseconds)"
        }
        if let problem = record.problem { metadata["problem"] = "\(problem.rawValue)" }
        // Health checks and scrapes come every few seconds and would bury the rest.
        let isRoutine = request.uri.path.hasPrefix("/health/") || request.uri.path == "/metrics"
        logger.log(level: isRoutine ? .debug : .info, "request", metadata: metadata)
    }
}

extension JobTiming {
    /// The stages as browsers' tools show them (W3C Server Timing).
    var serverTiming: String {
        """
        queue;dur=\(queue.milliseconds), decode;dur=\(decode.milliseconds), \
        inference;dur=\(inference.milliseconds), postprocess;dur=\(postprocessing.milliseconds)
        """
    }
}

extension HTTPField.Name {
    /// The id of the request, in every answer and every log line.
    static let requestID = HTTPField.Name("X-Request-ID")!
    /// The stages of a prediction.
    static let serverTiming = HTTPField.Name("Server-Timing")!
    /// What a page may load, from where.
    static let contentSecurityPolicy = HTTPField.Name("Content-Security-Policy")!
    /// Whether a browser may guess at media types.
    static let contentTypeOptions = HTTPField.Name("X-Content-Type-Options")!
    /// What of this page's address goes along to other pages.
    static let referrerPolicy = HTTPField.Name("Referrer-Policy")!
}
