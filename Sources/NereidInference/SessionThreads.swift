// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOPosix

/// Threads that belong to one session: a run keeps its thread busy for tens of milliseconds, which neither Swift's
/// cooperative pool nor an event loop can afford.
final class SessionThreads: Sendable {
    private let pool: NIOThreadPool
    private let closedError: InferenceError

    init(count: Int, closedError: InferenceError) {
        pool = NIOThreadPool(numberOfThreads: count)
        pool.start()
        self.closedError = closedError
    }

    // The threads hold the pool, so it would outlive a session that was dropped without being shut down.
    deinit { pool.shutdownGracefully { _ in } }

    /// Runs a blocking body on a free thread.
    func perform<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            pool.submit { [closedError] state in
                switch state {
                case .active: continuation.resume(with: Result(catching: body))
                case .cancelled: continuation.resume(throwing: closedError)
                }
            }
        }
    }

    /// Lets what has started finish, then ends the threads.
    func shutDown() async {
        // The only error is that of a pool that cannot be stopped, which this one can.
        try? await pool.shutdownGracefully()
    }
}
