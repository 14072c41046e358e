// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NIOCore
import NIOFoundationCompat
import NereidVision

/// A job as it stands in a model's stream; docs/queue.md describes each field.
struct JobEntry: Sendable, Hashable {
    /// Tells this job from all others, for ever.
    var job: String
    /// The id of the request that it belongs to, for logs.
    var request: String
    /// The trace that the request belongs to, for logs.
    var trace: TraceParent?
    var options: PredictionOptions
    /// How long the requester waits, counted from when the entry was added; `nil` for as long as it takes.
    var timeout: Duration?
    /// The stream in which the requester looks for its answer; `nil` when nobody does.
    var reply: String?
    /// The record of the bulk job that the picture belongs to, whose results keep the answer.
    var record: String?
    /// The picture's length.
    var bytes: Int
    var picture: Location

    enum Location: Sendable, Hashable {
        case inline(ByteBuffer)
        case key(String)
    }

    /// Pictures up to this many bytes stand in the entry itself.
    static let mostInlineBytes = 16 << 10
    /// Names of jobs, requests and keys are no longer than this.
    private static let mostNameBytes = 4096
    /// Options are no longer than this: every class of a model may be named.
    private static let mostOptionBytes = 1 << 20

    /// The key of the picture, if it has one of its own.
    var pictureKey: String? {
        if case .key(let key) = picture { key } else { nil }
    }

    /// The fields of the entry, in their order.
    var fields: [(String, RedisCommand.Argument)] {
        var fields: [(String, RedisCommand.Argument)] = [
            ("job", .text(job)), ("request", .text(request)), ("options", .text(OptionsMessage(options).json)),
            ("bytes", .integer(bytes)),
        ]
        if let trace { fields.append(("traceparent", .text(trace.description))) }
        if let timeout { fields.append(("timeout_ms", .integer(timeout.milliseconds))) }
        if let reply { fields.append(("reply", .text(reply))) }
        if let record { fields.append(("record", .text(record))) }
        switch picture {
        case .inline(let bytes): fields.append(("picture", .bytes(bytes)))
        case .key(let key): fields.append(("picture_key", .text(key)))
        }
        return fields
    }
}

extension JobEntry {
    /// Reads the fields of an entry; unknown ones are left to later versions.
    ///
    /// - Throws: ``MalformedEntry``.
    init(fields: [RedisReply]) throws(MalformedEntry) {
        let values = Dictionary(fields: fields)
        for name in ["job", "request", "reply", "record", "picture_key"] {
            let length = values[name]?.bytes?.readableBytes ?? 0
            guard length <= Self.mostNameBytes else { throw MalformedEntry(field: name) }
        }
        guard values["options"]?.bytes?.readableBytes ?? 0 <= Self.mostOptionBytes else {
            throw MalformedEntry(field: "options")
        }
        guard let job = values["job"]?.text, !job.isEmpty else { throw MalformedEntry(field: "job") }
        self.job = job
        request = values["request"]?.text ?? job
        // For logs only: a job is not refused for a trace that can't be read.
        trace = values["traceparent"]?.text.flatMap(TraceParent.init)
        reply = values["reply"]?.text
        record = values["record"]?.text
        if let text = values["options"] {
            guard let options = text.bytes.flatMap(OptionsMessage.init(json:))?.options else {
                throw MalformedEntry(field: "options")
            }
            self.options = options
        } else {
            options = PredictionOptions()
        }
        if let text = values["timeout_ms"] {
            guard let milliseconds = text.integer, (0...Int(Int32.max)).contains(milliseconds) else {
                throw MalformedEntry(field: "timeout_ms")
            }
            timeout = .milliseconds(milliseconds)
        }
        if let bytes = values["picture"]?.bytes {
            picture = .inline(bytes)
        } else if let key = values["picture_key"]?.text {
            picture = .key(key)
        } else {
            throw MalformedEntry(field: "picture")
        }
        // No string of Redis is longer.
        bytes = min(max(0, values["bytes"]?.integer ?? 0), 512 << 20)
    }
}

/// An entry of a stream that is no job.
struct MalformedEntry: Error, Sendable, Equatable, CustomStringConvertible {
    /// The field that is missing or can't be read.
    let field: String

    var description: String {
        "its field ‘\(field)’ is missing or can't be read; docs/queue.md says what an entry holds"
    }
}

/// The options of a job as JSON: the names of the HTTP interface, and only what differs from the model's own settings.
struct OptionsMessage: Codable, Sendable, Hashable {
    private var confidence: Float?
    private var iou: Float?
    private var maxDetections: Int?
    private var classAgnostic: Bool?
    private var classes: [Int]?
    private var topClasses: Int?

    private enum CodingKeys: String, CodingKey {
        case confidence, iou, classes
        case maxDetections = "max_detections"
        case classAgnostic = "class_agnostic"
        case topClasses = "top_k"
    }

    init(_ options: PredictionOptions) {
        confidence = options.confidence
        iou = options.iou
        maxDetections = options.maxDetections
        classAgnostic = options.classAgnostic
        classes = options.classes?.sorted()
        topClasses = options.topClasses
    }

    init?(json: ByteBuffer) {
        guard let message = try? JSONDecoder().decode(Self.self, from: Data(buffer: json)) else { return nil }
        self = message
    }

    /// `nil` when a value is outside of its range.
    var options: PredictionOptions? {
        let shares = [confidence, iou].compactMap(\.self), counts = [maxDetections, topClasses].compactMap(\.self)
        guard shares.allSatisfy({ (0...1).contains($0) }), counts.allSatisfy({ (1...1_000_000).contains($0) }),
            (classes ?? []).allSatisfy({ (0...AnswerBounds.classID).contains($0) })
        else { return nil }
        return PredictionOptions(
            confidence: confidence,
            iou: iou,
            maxDetections: maxDetections,
            classAgnostic: classAgnostic,
            classes: classes.map(Set.init),
            topClasses: topClasses
        )
    }

    var json: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        // Numbers, flags and lists of numbers: JSON has a form for each, but for numbers that no option may be.
        return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }
}
