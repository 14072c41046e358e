// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import NereidImaging
import NereidModels
import NereidVision
import Testing

@testable import NereidJobs

@Suite("Messages of the queue")
struct QueueMessageTests {
    static func there(_ message: AnswerMessage) throws -> JobAnswer {
        try AnswerMessage(json: message.json()).answer(from: "reef")
    }

    @Test("carry every part of an answer to the last bit")
    func answer() throws {
        let size = PixelSize(width: 4, height: 3)
        let detection = Detection(
            box: Box(x1: 0.1, y1: 1 / 3, x2: 3.999_999_8, y2: 3),
            score: 0.123_456_79,
            classID: 3,
            label: "urchin “x” \n",
            mask: Mask(size: size, counts: [2, 3, 7]),
            keypoints: [Keypoint(x: 1.5, y: 2.25, score: 0.7), Keypoint(x: 0, y: 1)],
            rotation: RotatedBox(centre: Point(x: 2, y: 1.5), width: 3, height: 1, angle: -0.3)
        )
        let answer = JobAnswer(
            task: .segment,
            detections: [detection, Detection(box: Box(x1: 0, y1: 0, x2: 1, y2: 1), score: 1, classID: 0, label: "a")],
            classifications: [Classification(classID: 1, label: "b", score: 0.25)],
            size: size,
            taken: CaptureTime("2023-06-01T12:34:56+02:00"),
            picture: nil,
            timing: JobTiming(
                queue: .microseconds(1250),
                decode: .milliseconds(2),
                inference: .seconds(3),
                postprocessing: .zero
            )
        )
        let back = try Self.there(AnswerMessage(answer))
        #expect(back.detections == answer.detections && back.classifications == answer.classifications)
        #expect(back.size == size && back.task == .segment && back.timing == answer.timing)
        #expect(back.taken == answer.taken && back.taken != nil)
    }

    @Test(
        "carry the picture's faults, so that a gateway answers as one process would",
        arguments: [
            ImagingError.notAPicture, .emptyFile, .foreign(.init(found: "a PDF document", advice: "Export its pages.")),
            .unsupportedKind("SVG"), .damaged(.png, reason: "cut short"),
            .tooLarge(.side, value: 9, limit: 8), .tooLarge(.memory, value: 9, limit: 8),
            .tooLarge(.pixelsAtOnce, value: 9, limit: 8), .timedOut(limit: .milliseconds(1500)),
        ]
    )
    func pictureFaults(error: ImagingError) {
        #expect(throws: error) { try Self.there(AnswerMessage(FailureMessage(error))) }
    }

    @Test("carry the number of pixels of masks that are too many, and what the limit is")
    func masksTooLarge() {
        let error = VisionError.masksTooLarge(model: "reef", objects: 12, pixels: 9, limit: 8)
        #expect(throws: error) { try Self.there(AnswerMessage(FailureMessage(error))) }
    }

    @Test("carry a deadline that passed while a picture was worked on")
    func deadline() {
        #expect(throws: JobError.deadlinePassed(model: "reef", hadBegun: false)) {
            try Self.there(AnswerMessage(FailureMessage(ImagingError.deadlinePassed)))
        }
    }

    @Test(
        "carry other faults with their words",
        arguments: [
            (
                JobError.deadlinePassed(model: "reef", hadBegun: true),
                JobError.deadlinePassed(model: "reef", hadBegun: false)
            ),
            (.abandoned(model: "reef", deliveries: 3), .abandoned(model: "reef", deliveries: 3)),
            (
                .notLoadedHere(model: "reef"),
                .workerFailed(model: "reef", reason: JobError.notLoadedHere(model: "reef").description)
            ),
        ]
    )
    func otherFaults(error: JobError, expected: JobError) {
        #expect(throws: expected) { try Self.there(AnswerMessage(FailureMessage(error))) }
    }

    @Test(
        "of other workers are read with care",
        arguments: [
            (
                #"{"error":{"code":"unheard_of","detail":"no disk"}}"#,
                "a worker of model ‘reef’ could not answer: no disk"
            ),
            (#"{"error":{"code":"picture_too_large","detail":"too big"}}"#, "could not answer: too big"),
            (#"{}"#, "it has no task or no image size"),
            (#"{"task":"detect","image":{"width":0,"height":4}}"#, "no task or no image size"),
            (
                #"{"task":"detect","image":{"width":4,"height":4},"detections":[{"class_id":0,"label":"a","score":1,"box":[1]}]}"#,
                "one of its detections can't be read"
            ),
            (
                #"{"task":"segment","image":{"width":4,"height":4},"detections":[{"class_id":0,"label":"a","score":1,"box":[0,0,1,1],"mask":[1]}]}"#,
                "one of its detections can't be read"
            ),
        ]
    )
    func foreign(json: String, expected: String) throws {
        let message = try AnswerMessage(json: ByteBuffer(string: json))
        let error = #expect(throws: JobError.self) { try message.answer(from: "reef") }
        #expect(error?.description.contains(expected) == true)
        #expect(throws: (any Error).self) { try AnswerMessage(json: ByteBuffer(string: "no json")) }
    }

    @Test("of the smallest worker are enough")
    func smallest() throws {
        let json = #"{"task":"detect","image":{"width":4,"height":3}}"#
        let answer = try AnswerMessage(json: ByteBuffer(string: json)).answer(from: "reef")
        #expect(answer.detections.isEmpty && answer.size == PixelSize(width: 4, height: 3))
        // A time that is none is left out.
        let odd = #"{"task":"detect","image":{"width":4,"height":3},"taken":"=cmd()"}"#
        #expect(try AnswerMessage(json: ByteBuffer(string: odd)).answer(from: "reef").taken == nil)
    }

    static let entry = JobEntry(
        job: "a-1",
        request: "r",
        options: PredictionOptions(
            confidence: 0.3,
            iou: 0.5,
            maxDetections: 7,
            classAgnostic: true,
            classes: [2, 1],
            topClasses: 3
        ),
        timeout: .seconds(5),
        reply: "nereid:answers:a",
        bytes: 9,
        picture: .key("nereid:picture:a-1")
    )

    static func replies(_ entry: JobEntry, without name: String = "", setting value: String? = nil) -> [RedisReply] {
        entry.fields.flatMap { field, argument -> [RedisReply] in
            if field == name, value == nil { return [] }
            let bytes: ByteBuffer =
                switch argument {
                case .text(let text): ByteBuffer(string: field == name ? value ?? "" : text)
                case .integer(let number): ByteBuffer(string: field == name ? value ?? "" : "\(number)")
                case .bytes(let bytes): bytes
                }
            return [.bytes(ByteBuffer(string: field)), .bytes(bytes)]
        }
    }

    @Test("carry every part of a job")
    func entry() throws {
        var entry = Self.entry
        #expect(try JobEntry(fields: Self.replies(entry)) == entry)
        #expect(!entry.fields.contains { $0.0 == "traceparent" })
        entry.trace = TraceParent(TraceParentTests.valid)
        #expect(try JobEntry(fields: Self.replies(entry)) == entry)
        #expect(entry.logged == ["request": "r", "trace_id": "0af7651916cd43dd8448eb211c80319c"])
        // What others write there is no reason to refuse a job.
        #expect(try JobEntry(fields: Self.replies(entry, without: "traceparent", setting: "x")).trace == nil)
        #expect(
            OptionsMessage(entry.options).json
                == #"{"class_agnostic":true,"classes":[1,2],"confidence":0.3,"iou":0.5,"max_detections":7,"top_k":3}"#
        )
        entry.picture = .inline(ByteBuffer(bytes: [0, 255]))
        entry.reply = nil
        entry.record = "nereid:job:1"
        entry.timeout = nil
        entry.options = .init()
        #expect(try JobEntry(fields: Self.replies(entry)) == entry)
    }

    @Test(
        "that are no jobs are refused, naming the field",
        arguments: [
            ("job", nil), ("timeout_ms", "soon"), ("timeout_ms", "-1"), ("options", "x"),
            ("options", #"{"confidence":2}"#), ("options", #"{"max_detections":0}"#),
        ] as [(String, String?)]
    )
    func malformed(field: String, value: String?) {
        let error = #expect(throws: MalformedEntry.self) {
            try JobEntry(fields: Self.replies(Self.entry, without: field, setting: value))
        }
        #expect(error?.field == field && error?.description.contains("docs/queue.md") == true)
        #expect(throws: MalformedEntry(field: "picture")) {
            try JobEntry(fields: Self.replies(Self.entry, without: "picture_key"))
        }
    }

    @Test("of workers make a catalogue, whoever speaks first")
    func catalogue() throws {
        let old = WorkerAnnouncement(
            worker: "a",
            host: "one",
            software: "nereid 1",
            models: [.init(name: "reef", aliases: ["sea"], task: "detect", labels: ["urchin"], instances: 2)]
        )
        let new = WorkerAnnouncement(
            worker: "b",
            host: "two",
            software: "nereid 2",
            models: [
                .init(name: "reef", task: "detect", labels: ["urchin", "star"], instances: -4),
                .init(name: "odd", task: "dream", labels: []),
            ]
        )
        let catalogue = RemoteCatalogue([new, old])
        #expect(catalogue == RemoteCatalogue([old, new]))
        #expect(catalogue.models.map(\.name) == ["reef"])
        let model = try catalogue.model(named: "sea")
        #expect(model.labels.names == ["urchin"])
        #expect(model.workers.map(\.software) == ["nereid 1", "nereid 2"])
        #expect(model.workers.map(\.instances) == [2, 1])
        #expect(JobModel.remote(model).window == 4)
        #expect(try JobModel.remote(model).classIDs(named: ["urchin"]) == [0])
        #expect(throws: VisionError.self) { try JobModel.remote(model).classIDs(named: ["whale"]) }
        #expect(throws: ModelsError.notFound(name: "x", served: ["reef"])) { try catalogue.model(named: "x") }
        #expect(try WorkerAnnouncement(json: old.json()) == old)
        #expect(old.completed(from: [:]) == old)
        // Those who have gone may come back: their models take jobs, but are not listed.
        let later = RemoteCatalogue([], recent: catalogue.models)
        #expect(later.models.isEmpty && later.recent.map(\.name) == ["reef"])
        #expect(try later.model(named: "sea").workers.isEmpty)
        #expect(RemoteCatalogue([old], recent: catalogue.models).recent.isEmpty)
    }

    @Test("of workers may have their models elsewhere, by a name that tells what they are")
    func descriptions() throws {
        var reef = WorkerAnnouncement.Model(name: "reef", task: "detect", labels: ["urchin"])
        reef.warnings = ["the metadata's ‘names’ can't be read"]
        let models = [reef]
        let description = try WorkerDescription(models)
        #expect(try WorkerDescription(models) == description)
        #expect(
            try WorkerDescription([.init(name: "reef", task: "detect", labels: ["star"])]).digest != description.digest
        )
        #expect(description.digest.count == 32)
        let said = WorkerAnnouncement(
            worker: "a",
            host: "one",
            software: "nereid 1",
            description: description.digest,
            running: ["reef": 3]
        )
        let back = try WorkerAnnouncement(json: said.json())
        #expect(back == said && RemoteCatalogue([back]).models.isEmpty)
        let catalogue = RemoteCatalogue([back.completed(from: [description.digest: models])])
        #expect(catalogue.models.first?.warnings == ["the metadata's ‘names’ can't be read"])
        #expect(catalogue.models.map(\.labels.names) == [["urchin"]])
        #expect(catalogue.models.first?.workers.map(\.running) == [3])
    }

    @Test("of workers say what a model's input takes and what holds without a word; others need not")
    func inputAndDefaults() throws {
        let json = """
            {"worker": "a", "host": "h", "software": "s", "models": [
              {"name": "deep", "task": "detect", "labels": ["urchin"], "input": {"width": 640, "height": 320, "fit": "rect"},
               "defaults": {"confidence": 0.4, "top_k": 3}},
              {"name": "reef", "task": "detect", "labels": ["star"]}]}
            """
        let models = RemoteCatalogue([try WorkerAnnouncement(json: ByteBuffer(string: json))]).models
        #expect(models.map(\.input) == [.init(width: 640, height: 320, fit: "rect"), nil])
        var defaults = PredictionDefaults()
        (defaults.confidence, defaults.topClasses) = (0.4, 3)
        #expect(models.map(\.defaults) == [defaults, nil])
    }

    @Test("of what Redis is and is not, with what to do")
    func suitability() {
        var redis = RedisSuitability(
            version: "7.0.15",
            evictionPolicy: "noeviction",
            maxMemory: 1 << 30,
            appendsToFile: true,
            savesSnapshots: false
        )
        #expect(redis.obstacle == nil && redis.warnings.isEmpty)
        for version in ["6.2.0", "6.10", "7", "10.1"] {
            redis.version = version
            #expect(redis.obstacle == nil)
        }
        for version in ["6.0.16", "5.0.7", "", "x"] {
            redis.version = version
            #expect(redis.obstacle?.contains("needs 6.2 or later") == true)
        }
        redis.evictionPolicy = "allkeys-lru"
        redis.maxMemory = 0
        redis.appendsToFile = false
        let warnings = redis.warnings
        #expect(warnings.count == 3)
        #expect(warnings[0].contains("DROP WAITING JOBS") && warnings[0].contains("noeviction"))
        #expect(warnings[1].contains("maxmemory") && warnings[2].contains("appendonly"))
    }
}
