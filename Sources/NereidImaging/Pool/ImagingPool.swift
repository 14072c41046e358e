// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import NIOCore
import NIOPosix

/// The room's bounded threads: decoding, drawing and encoding block, so they happen here and never on the threads of
/// Swift concurrency or of an event loop.
///
/// At most `threads` pieces of work run at once; the rest wait, and the shares that they belong to take turns. Pictures that
/// take long or need much memory get at most half of the threads. The memory of all decoded pictures is bounded by a budget:
/// a picture waits until there is room for it. How much may wait is for the caller to bound.
///
/// Work whose task is cancelled is abandoned at once: the caller gets its `CancellationError`, and the work ends at its next
/// look at its ``WorkLimit``. Until then it keeps its thread and its memory.
public final class ImagingPool: Sendable {
    /// The memory of all decoded pictures together, in bytes: 1.5 GiB. Setting: `decode_memory`.
    public static let defaultMemory = 3 << 29

    private let core: ImagingCore

    /// Starts the threads.
    ///
    /// - Parameters:
    ///   - threads: How many pieces of work run at once, at least 1. Default: the number of cores that this process may use,
    ///     and at least 2, so that a large picture does not keep all others waiting.
    ///   - memory: The most bytes that decoded pictures hold together, see ``DecodingNeed``. Default: ``defaultMemory``.
    public init(threads: Int = max(System.coreCount, 2), memory: Int = ImagingPool.defaultMemory) {
        core = ImagingCore(threads: max(threads, 1), memory: memory)
    }

    /// What it is doing at this moment.
    public var load: ImagingLoad { core.load }

    /// Runs `work` on one of the threads and returns what it returns.
    ///
    /// - Parameters:
    ///   - share: Whose work it is: shares take turns. Default: nobody's in particular.
    ///   - deadline: When the work must have ended. Default: none but the task's cancellation.
    ///   - work: Is handed the limit that its loops must look at.
    /// - Throws: What `work` throws; `CancellationError` when the task is cancelled; ``ImagingError/deadlinePassed``;
    ///   ``ImagingError/poolIsShutDown`` after ``shutDown(within:)``.
    public func run<R: Sendable>(
        for share: String = "",
        by deadline: ContinuousClock.Instant? = nil,
        _ work: @escaping @Sendable (WorkLimit) throws -> R
    ) async throws -> R {
        try await run(.init(share: share), by: deadline) { limit, _ in try work(limit) }
    }

    /// Runs `work` that is too short to be stopped in the middle.
    ///
    /// - Throws: As ``run(for:by:_:)``.
    public func run<R: Sendable>(_ work: @escaping @Sendable () throws -> R) async throws -> R {
        try await run { _ in try work() }
    }

    /// What work may ask of its pool.
    struct Turn: Sendable {
        /// The memory that was claimed for the work.
        let memory: DecodingMemory?
        /// Memory, if there is room now.
        let take: @Sendable (DecodingNeed) -> DecodingMemory?
    }

    func run<R: Sendable>(
        _ claim: ImagingSchedule<ImagingWork>.Claim,
        by deadline: ContinuousClock.Instant? = nil,
        _ work: @escaping @Sendable (WorkLimit, Turn) throws -> R
    ) async throws -> R {
        let (core, number, reply, flag) = (core, core.number(), ImagingReply<R>(), CancellationFlag())
        let limit = WorkLimit(deadline: deadline, flag: flag)
        let item = ImagingWork(number: number, claim: claim, flag: flag) { memory in
            let turn = Turn(memory: memory) { core.extend(number, isLarge: $0.isLarge, bytes: $0.bytes) }
            reply.answer(
                Result {
                    // Nobody waits for work that was cancelled: then it was the pool that stopped it.
                    do {
                        try limit.check()
                        return try work(limit, turn)
                    } catch ImagingError.cancelled {
                        throw ImagingError.poolIsShutDown
                    }
                }
            )
        } refusal: { error in
            reply.answer(.failure(error))
        }
        let alarm = deadline.map { deadline in
            Task {
                try await Task.sleep(until: deadline, clock: .continuous)
                Self.abandon(item, of: core, reply, ImagingError.deadlinePassed)
            }
        }
        defer { alarm?.cancel() }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                reply.wait(continuation)
                // A cancellation that comes later finds the work in the schedule, or running.
                guard !Task.isCancelled else { return reply.answer(.failure(CancellationError())) }
                core.submit(item)
            }
        } onCancel: {
            Self.abandon(item, of: core, reply, CancellationError())
        }
    }

    private static func abandon<R>(
        _ work: ImagingWork,
        of core: ImagingCore,
        _ reply: ImagingReply<R>,
        _ error: any Error
    ) {
        work.flag.set()
        core.withdraw(work.number)
        reply.answer(.failure(error))
    }

    /// Decodes a picture on one of the threads, as soon as there is memory for it; see
    /// ``Picture/init(decoding:limits:appliesOrientation:limit:)``.
    ///
    /// - Parameters:
    ///   - isDrawnOn: Whether the picture will be drawn on and encoded, for which memory is kept too.
    ///   - waits: Whether to wait for memory. Who holds other pictures must not. Default: yes.
    ///   - share: Whose picture it is.
    /// - Returns: The picture, and how long its decoding took without waiting; `nil` when there is no memory now and it was
    ///   not waited for.
    public func decode(
        timing bytes: ByteBuffer,
        limits: DecodingLimits = DecodingLimits(),
        appliesOrientation: Bool = true,
        isDrawnOn: Bool = false,
        waits: Bool = true,
        for share: String = ""
    ) async throws -> (picture: Picture, duration: Duration)? {
        let budget = core.budget
        @Sendable func decode(_ gate: DecodingGate, _ limit: WorkLimit) throws -> Attempt {
            let clock = ContinuousClock()
            let begun = clock.now
            do {
                let picture = try Picture(bytes, limits, appliesOrientation: appliesOrientation, limit, gate)
                return .decoded(picture, clock.now - begun)
            } catch {
                if let need = gate.refused { return .mustWait(need) }
                throw error
            }
        }
        // Most pictures find room at once. Of others no more than the header was read.
        let first = try await run(.init(share: share)) { limit, turn in
            try decode(DecodingGate(budget, isDrawnOn: isDrawnOn, take: turn.take), limit)
        }
        switch first {
        case .decoded(let picture, let duration): return (picture, duration)
        case .mustWait(let need):
            guard waits else { return nil }
            let claim = ImagingSchedule<ImagingWork>.Claim(share: share, isLarge: need.isLarge, bytes: need.bytes)
            let second = try await run(claim) { limit, turn in
                try decode(DecodingGate(budget, isDrawnOn: isDrawnOn) { _ in turn.memory }, limit)
            }
            guard case .decoded(let picture, let duration) = second else { throw ImagingError.poolIsShutDown }
            return (picture, duration)
        }
    }

    private enum Attempt: Sendable {
        case decoded(Picture, Duration)
        case mustWait(DecodingNeed)
    }

    /// Decodes a picture on one of the threads, as soon as there is memory for it.
    public func decode(
        _ bytes: ByteBuffer,
        limits: DecodingLimits = DecodingLimits(),
        appliesOrientation: Bool = true,
        isDrawnOn: Bool = false,
        for share: String = ""
    ) async throws -> Picture {
        let decoded = try await decode(
            timing: bytes,
            limits: limits,
            appliesOrientation: appliesOrientation,
            isDrawnOn: isDrawnOn,
            for: share
        )
        guard let decoded else { throw ImagingError.poolIsShutDown }
        return decoded.picture
    }

    /// Starts the libraries behind decoding with a picture of one pixel, so that the first real one does not wait for them.
    /// Takes about 0.1 s.
    public func warmUp() async {
        // What fails here fails again, with its reason, on a real picture.
        _ = try? await run {
            let pixel = try Picture(width: 1, height: 1, pixels: [0, 0, 0])
            for form in [EncodedForm.png, .jpeg(quality: 90)] { _ = try Picture(decoding: pixel.encoded(as: form)) }
        }
    }

    /// Refuses the work that waits, cancels the work that runs, and stops the threads. Calling it again does no harm.
    ///
    /// - Parameter time: How long threads are awaited that are inside of a library which can't be interrupted. Default: 2 s.
    public func shutDown(within time: Duration = .seconds(2)) async {
        let (ends, end) = AsyncStream.makeStream(of: Void.self)
        Task { [core] in
            await core.shutDown()
            end.finish()
        }
        let alarm = Task {
            try await Task.sleep(for: time)
            end.finish()
        }
        for await _ in ends {}
        alarm.cancel()
    }
}
