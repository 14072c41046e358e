// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NereidJobs
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What goes along with one request from its head to its log line.
struct ServerContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    /// The connection; its end means that nobody waits for the answer.
    let channel: any Channel
    /// What is known of it; `nil` where requests do not come over connections.
    let connection: ClientConnection?
    /// What the request turns out to be, for the log and the metrics.
    let record = RequestRecord()

    /// Tells this request from others, in its answer and in the log: the client's own id, else a new one.
    private(set) var requestID: String
    /// The trace that the request belongs to, if its client says so.
    private(set) var trace: TraceParent?

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        channel = source.channel
        connection = ClientConnection.current
        // Hummingbird's own, which its log lines carry too; a log handler without metadata has lost it.
        requestID = source.logger[metadataKey: "hb.request.id"]?.description ?? Self.newID()
    }

    /// Takes over what the client says of its request.
    mutating func identify(by headers: HTTPFields) {
        if let id = RequestIdentity.id(in: headers) {
            requestID = id
            logger[metadataKey: "hb.request.id"] = "\(id)"
        }
        if let trace = RequestIdentity.trace(in: headers) {
            self.trace = trace
            logger[metadataKey: "trace_id"] = "\(trace.traceID)"
        }
    }

    private static func newID() -> String {
        String(UInt64.random(in: .min ... .max), radix: 16)
    }

    /// The model that the path names, with its percent signs decoded.
    var modelName: String {
        get throws {
            let raw = try parameters.require("model")
            return raw.removingPercentEncoding ?? raw
        }
    }
}

/// What is learnt about a request while it is answered.
final class RequestRecord: Sendable {
    struct Content: Sendable {
        /// The model that answered, by name.
        var model: String?
        /// The pictures in the request.
        var pictures = 0
        /// The detections found in them.
        var detections = 0
        /// The stages of each picture that was answered.
        var timings: [JobTiming] = []
        /// Whether it is an order of a job, whose pictures are answered later.
        var order: Order?
        /// Why there is no answer.
        var problem: Problem.Code?

        /// The stages of all pictures together; `nil` when none was answered.
        var timing: JobTiming? {
            guard let first = timings.first else { return nil }
            return timings.dropFirst().reduce(first) { sum, timing in
                JobTiming(
                    queue: sum.queue + timing.queue,
                    decode: sum.decode + timing.decode,
                    inference: sum.inference + timing.inference,
                    postprocessing: sum.postprocessing + timing.postprocessing
                )
            }
        }
    }

    /// What became of an order of a job.
    enum Order: Sendable {
        case received, accepted, repeated
    }

    private let content = Mutex(Content())

    var current: Content { content.withLock { $0 } }

    func update(_ change: (inout Content) -> Void) {
        content.withLock { change(&$0) }
    }
}
