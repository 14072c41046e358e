// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import Logging
public import ServiceLifecycle

/// Does the jobs that a ``DatabaseJobStore`` holds: puts their pictures into a queue, in the lane ``Lane/bulk``, and keeps what
/// comes back.
///
/// The oldest job comes first, and then each job one picture in turn, so that a small job does not wait for a large one that
/// came before. Of each model so many pictures are under way as keep it busy (``JobModel/window``). While a model can't be
/// used, or its queue is full, its pictures wait. A picture that was under way when three processes in a row ended is not tried
/// again: its answer is an error.
///
/// When the service is asked to stop, it takes no more, waits a while for what is under way, and leaves the rest for the next
/// start. It also sees to it that finished jobs are forgotten when their time is over.
public final class BulkRunner: Service {
    /// Times and bounds; tests shorten them.
    struct Pace: Sendable {
        /// How long a picture may wait in the queue and run.
        var patience: Duration = .seconds(600)
        /// How long to wait before asking again for a model that can't be used.
        var modelPause: Duration = .seconds(1)
        /// How long to wait for what is under way when the service is asked to stop.
        var grace: Duration = .seconds(5)
        /// How often to look for jobs whose time is over.
        var sweep: Duration = .seconds(60)
        /// How often a picture is begun.
        var attempts = 3
    }

    let store: DatabaseJobStore
    let queue: any JobQueue
    let model: @Sendable (String) throws -> JobModel
    let logger: Logger
    let pace: Pace
    private let stop = Occasion()

    /// Makes a runner; there must be no other for the same store.
    ///
    /// - Parameters:
    ///   - store: the jobs.
    ///   - queue: where their pictures go.
    ///   - model: the model of a name at this moment. While it throws, the model's pictures wait.
    ///   - logger: told when jobs can't go on.
    public convenience init(
        store: DatabaseJobStore,
        queue: any JobQueue,
        model: @escaping @Sendable (String) throws -> JobModel,
        logger: Logger
    ) {
        self.init(store: store, queue: queue, model: model, logger: logger, pace: Pace())
    }

    init(
        store: DatabaseJobStore,
        queue: any JobQueue,
        model: @escaping @Sendable (String) throws -> JobModel,
        logger: Logger,
        pace: Pace
    ) {
        self.store = store
        self.queue = queue
        self.model = model
        self.logger = logger
        self.pace = pace
    }

    /// Works until the service is asked to stop, or its task is cancelled. A store that can't be used is tried again.
    public func run() async {
        await withTaskCancellationOrGracefulShutdownHandler {
            // In a task of its own: what is under way is settled after the cancellation too.
            await Task {
                var run = BulkRun(self, stop: stop)
                await run.run()
            }.value
        } onCancelOrGracefulShutdown: {
            self.stop.come()
        }
    }
}
