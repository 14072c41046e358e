// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
public import Logging
import NIOCore
public import NereidImaging
import NereidModels
import NereidVision
public import ServiceLifecycle
import Synchronization

/// The lists from which workers of the older server take pictures, so that they go on working until others take their place;
/// docs/migration.md describes the format.
///
/// It is slow by its nature: every pixel goes through Redis as sixteen bytes, and answers have to be looked for. Workers say
/// nothing of themselves: whether there are any can't be told, and what a model's classes are only from its answers.
///
/// It is a service: while ``run()`` goes on, ``load(of:)`` follows the lists, and answers that came too late are removed.
public final class LegacyQueue: JobQueue, Service {
    let pushing: RedisClient
    let asking: RedisClient
    /// The lists, each of another model.
    public let lists: [LegacyList]
    let logger: Logger
    let snapshot: Mutex<Snapshot>
    let abandoned = AbandonedAnswers()
    private let limits: QueueLimits
    private let imaging: ImagingPool
    private let decoding: DecodingLimits
    private let appliesOrientation: Bool
    private let labels = Mutex<[String: SeenLabels]>([:])
    /// Each holds a decoded picture and up to four copies of what is sent, of sixteen bytes a pixel.
    private let places = SendingPlaces(2)

    /// What was last seen of the lists.
    struct Snapshot: Sendable {
        var loads: [String: QueueLoad] = [:]
        var obstacle: String? = "the lists of the older workers have not been reached yet"
    }

    /// Makes a gateway's side of some lists.
    ///
    /// - Parameters:
    ///   - address: where Redis is.
    ///   - lists: the lists, each of another model.
    ///   - limits: the most pictures in each list, and the most bytes that they may take there: 33 MB for 1920 × 1080 pixels.
    ///   - imaging: the threads that decode.
    ///   - decoding: what a picture may cost. More than 32,000,000 pixels are never sent.
    ///   - appliesOrientation: whether pictures are turned upright as their EXIF data says. The older server did not.
    ///   - logger: told when Redis can't be reached.
    public init(
        _ address: RedisAddress,
        lists: [LegacyList],
        limits: QueueLimits = .init(),
        imaging: ImagingPool,
        decoding: DecodingLimits = .init(),
        appliesOrientation: Bool = true,
        logger: Logger
    ) {
        // A picture of many megabytes is not to hold up the answers to others.
        pushing = RedisClient(address, logger: logger)
        asking = RedisClient(address, logger: logger)
        self.lists = lists
        self.limits = limits
        self.imaging = imaging
        self.decoding = decoding.withAtMost(pixels: LegacyPicture.mostPixels)
        self.appliesOrientation = appliesOrientation
        self.logger = logger
        snapshot = Mutex(Snapshot())
    }

    /// The models, in the order of the lists. Their labels are those that were in answers so far, in the order in which this
    /// gateway first saw them; nothing is known of their workers. A list's name is an alias of its model.
    public var models: [RemoteModel] {
        let labels = labels.withLock { $0 }
        return lists.map { list in
            RemoteModel(
                name: list.model,
                aliases: list.list == list.model ? [] : [list.list],
                task: .detect,
                labels: Labels(labels[list.model]?.names ?? []),
                ignoresOrientation: false,
                workers: []
            )
        }
    }

    /// Why the lists can't be used at this moment; `nil` when they can, whether or not a worker looks at them.
    public var obstacle: String? { snapshot.withLock { $0.obstacle } }

    /// How a model's list stood when it was last looked at. What workers have taken can't be told.
    public func load(of model: String) -> QueueLoad {
        snapshot.withLock { $0.loads[model] ?? .idle }
    }

    /// Puts a picture in the list of its model and looks for the answer until it is there; see ``JobQueue/submit(_:)``.
    ///
    /// A picture stays in the list when its requester gives up: workers count from its beginning what they have taken, so that
    /// nothing may be removed behind their backs.
    ///
    /// - Throws: also ``JobError/queueUnreachable(reason:)`` and ``JobError/workerFailed(model:reason:)``.
    public func submit(_ job: Job) async throws -> JobAnswer {
        let model = job.model.name
        guard let list = lists.first(where: { $0.model == model }) else { throw JobError.notLoadedHere(model: model) }
        guard job.deadline > .now else { throw JobError.deadlinePassed(model: model, hadBegun: false) }
        let wasSent = Occasion()
        do {
            let answer = try await value(before: job.deadline) {
                try await self.answer(to: job, through: list, sent: wasSent)
            }
            guard let answer else { throw JobError.deadlinePassed(model: model, hadBegun: wasSent.hasCome) }
            return answer
        } catch RedisError.closed {
            throw JobError.queueUnreachable(reason: "the gateway is being stopped")
        } catch let error as RedisError {
            throw JobError.queueUnreachable(reason: error.description)
        }
    }

    private func answer(to job: Job, through list: LegacyList, sent wasSent: Occasion) async throws -> JobAnswer {
        guard places.waiting < limits.jobs else { throw full(list) }
        let clock = ContinuousClock()
        let begun = clock.now
        let id = UUID().uuidString.lowercased()
        // Once the picture may stand in the list, somebody has to take the answer.
        var isTaken = true
        defer { if !isTaken { abandoned.add(id) } }
        let sent = try await places.hold {
            let waited = clock.now - begun
            // Most often this spares the work for a picture that would be refused.
            let length = try await asking.send(RedisCommand("LLEN", .text(list.list)))
            guard length.integer ?? 0 < limits.jobs else { throw full(list) }
            let prepared = try await prepare(job, id: id)
            isTaken = false
            wasSent.come()
            do {
                try await push(prepared.json, to: list)
            } catch let error as JobError {
                isTaken = true
                throw error
            }
            return (waited: waited, prepared: prepared.described)
        }
        let pushed = clock.now
        let json = try await lookForAnswer(id)
        isTaken = true
        let read = try await LegacyAnswer.read(json, from: list.model)
        let detections = try detections(in: read, sent.prepared.size, job)
        return JobAnswer(
            task: .detect,
            detections: detections,
            classifications: [],
            size: sent.prepared.size,
            taken: sent.prepared.taken,
            picture: sent.prepared.picture,
            timing: JobTiming(
                queue: sent.waited,
                decode: pushed - begun - sent.waited,
                inference: clock.now - pushed,
                postprocessing: .zero
            )
        )
    }

    private struct Prepared: Sendable {
        var json: ByteBuffer
        var described: (size: PixelSize, taken: CaptureTime?, picture: Picture?)
    }

    private func prepare(_ job: Job, id: String) async throws -> Prepared {
        let (bytes, limits, turns) = (job.picture, decoding, appliesOrientation)
        let keepsPicture = job.keepsPicture
        let picture = try await imaging.decode(
            bytes,
            limits: limits,
            appliesOrientation: turns,
            isDrawnOn: keepsPicture,
            for: job.model.name
        )
        return try await imaging.run(for: job.model.name) { limit in
            try Prepared(
                json: LegacyPicture(picture).json(id: id, limit: limit),
                described: (picture.size, picture.taken, keepsPicture ? picture : nil)
            )
        }
    }

    private func push(_ json: ByteBuffer, to list: LegacyList) async throws {
        let reply: RedisReply
        do {
            reply = try await pushing.send(LegacyScript.push(json, to: list.list, limits: limits))
        } catch let error as RedisError where error.isFull {
            throw JobError.redisFull(model: list.model)
        }
        switch reply {
        case .status("jobs"): throw full(list)
        case .status("bytes"):
            throw JobError.queueFull(
                model: list.model,
                limit: "at most \(limits.bytes) bytes of pixels may wait",
                setting: "queue_bytes"
            )
        default: break
        }
    }

    private func full(_ list: LegacyList) -> JobError {
        .queueFull(model: list.model, limit: "at most \(limits.jobs) may wait", setting: "queue_jobs")
    }

    /// Nothing tells that an answer is there: it is asked for, at first every 5 ms, later every 50 ms.
    private func lookForAnswer(_ id: String) async throws -> ByteBuffer {
        var pause = Duration.milliseconds(5)
        while true {
            do {
                if let answer = try await asking.send(RedisCommand("GET", .text(id))).bytes {
                    do {
                        try await asking.send(RedisCommand("DEL", .text(id)))
                    } catch {
                        abandoned.add(id)
                    }
                    return answer
                }
            } catch let error as RedisError where error.mayPass {
                logger.debug("an answer can't be looked for", metadata: ["error": "\(error)"])
            }
            try await Task.sleep(for: pause)
            pause = min(pause * 1.25, .milliseconds(50))
        }
    }

    private func detections(in answer: LegacyAnswer, _ size: PixelSize, _ job: Job) throws -> [Detection] {
        let model = job.model.name
        return try labels.withLock { labels in
            try answer.detections(in: size, job.options) { label in
                guard let number = labels[model, default: SeenLabels()].number(of: label) else {
                    throw JobError.unusableAnswer(
                        model: model,
                        reason: "its workers have named more than \(SeenLabels.most) labels"
                    )
                }
                return number
            }
        }
    }
}

/// The one step that must not be torn apart.
enum LegacyScript {
    /// Adds a picture unless too much waits already, and says which limit that is.
    private static let push = """
        local length = redis.call('LLEN', KEYS[1])
        if length >= tonumber(ARGV[1]) then return redis.status_reply('jobs') end
        if length > 0 and redis.call('MEMORY', 'USAGE', KEYS[1], 'SAMPLES', '0') + #ARGV[3] > tonumber(ARGV[2]) then
          return redis.status_reply('bytes')
        end
        return redis.call('RPUSH', KEYS[1], ARGV[3])
        """

    static func push(_ json: ByteBuffer, to list: String, limits: QueueLimits) -> RedisCommand {
        RedisCommand(
            "EVAL",
            .text(push),
            1,
            .text(list),
            .integer(limits.jobs),
            .integer(limits.bytes),
            .bytes(json)
        )
    }
}

extension DecodingLimits {
    fileprivate func withAtMost(pixels most: Int) -> DecodingLimits {
        var limits = self
        limits.pixels = min(pixels, most)
        return limits
    }
}
