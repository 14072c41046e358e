// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import NIOCore
import NIOPosix

/// The room's bounded threads: decoding, drawing and encoding block, so they happen here and never on the threads of
/// Swift concurrency or of an event loop.
///
/// At most `threads` pieces of work run at once; the rest wait in order. How much may wait is for the caller to bound.
public final class ImagingPool: Sendable {
    private let pool: NIOThreadPool

    /// Starts the threads.
    ///
    /// - Parameter threads: How many pieces of work run at once, at least 1. Default: the number of cores that this
    ///   process may use.
    public init(threads: Int = System.coreCount) {
        pool = NIOThreadPool(numberOfThreads: max(threads, 1))
        pool.start()
    }

    deinit {
        pool.shutdownGracefully { _ in }
    }

    /// Runs `work` on one of the threads and returns what it returns.
    ///
    /// - Throws: What `work` throws; `CancellationError` when the task is cancelled before the work starts (work that
    ///   has started runs to its end); ``ImagingError/poolIsShutDown`` after ``shutDown()``.
    public func run<R: Sendable>(_ work: @escaping @Sendable () throws -> R) async throws -> R {
        // A box tells an error thrown by the work from the pool's own.
        let result: Result<R, any Error>
        do {
            result = try await pool.runIfActive { Result { try work() } }
        } catch is CancellationError where !Task.isCancelled {
            // The pool answers so when it is stopped before the work's turn.
            throw ImagingError.poolIsShutDown
        }
        return try result.get()
    }

    /// Decodes a picture on one of the threads; see ``Picture/init(decoding:limits:appliesOrientation:)``.
    public func decode(
        _ bytes: ByteBuffer,
        limits: DecodingLimits = DecodingLimits(),
        appliesOrientation: Bool = true
    ) async throws -> Picture {
        try await run {
            try Picture(decoding: bytes, limits: limits, appliesOrientation: appliesOrientation)
        }
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

    /// Finishes the work that has started, refuses the work that waits, and stops the threads. Calling it again does
    /// no harm.
    public func shutDown() async {
        // The only error is that a pool cannot be stopped, and this one can.
        try? await pool.shutdownGracefully()
    }
}
