// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import Foundation
public import Logging
import NIOPosix
public import ServiceLifecycle
import Synchronization

/// Bulk jobs in a database that may not be usable at every moment: its disk may be full, its files damaged or removed.
///
/// While it can't be used every call says why, and it is opened again from time to time. It is a service: while ``run()`` goes on,
/// the jobs of the open database are done, and its files are looked after.
public final class SupervisedJobStore: BulkJobStore, Service {
    /// Times; tests shorten them.
    struct Pace: Sendable {
        /// How long to wait before a database that can't be used is opened again.
        var reopening: Duration = .seconds(10)
        /// How often to look at the files of one that is open.
        var examining: Duration = .seconds(5)
    }

    private enum State: Sendable {
        case open(DatabaseJobStore)
        case closed(BulkError)
    }

    private let folder: String
    private let open: @Sendable () async throws -> DatabaseJobStore
    private let runner: @Sendable (DatabaseJobStore) -> BulkRunner
    private let logger: Logger
    private let pace: Pace
    private let state: Mutex<State>

    /// Opens the jobs of a folder, or begins there.
    ///
    /// - Parameters:
    ///   - folder: the folder; it is made if there is none, for this user only.
    ///   - limits: how much is kept, and for how long.
    ///   - document: makes the documents that results are kept as.
    ///   - logger: told when the database can't be used, and when it can again.
    ///   - runner: does the jobs of an open database.
    /// - Throws: ``BulkError/unavailable(reason:)`` when the folder is used by another process, or can't be used for a reason that
    ///   does not pass. A full disk and a damaged database are waited for.
    public convenience init(
        folder: String,
        limits: BulkLimits = .init(),
        document: BulkDocumentWriter? = nil,
        logger: Logger,
        runner: @escaping @Sendable (DatabaseJobStore) -> BulkRunner
    ) async throws {
        try await self.init(folder: folder, logger: logger, pace: Pace(), runner: runner) {
            try await DatabaseJobStore(folder: folder, limits: limits, document: document)
        }
    }

    init(
        folder: String,
        logger: Logger,
        pace: Pace,
        runner: @escaping @Sendable (DatabaseJobStore) -> BulkRunner,
        open: @escaping @Sendable () async throws -> DatabaseJobStore
    ) async throws {
        (self.folder, self.open, self.runner, self.logger, self.pace) = (folder, open, runner, logger, pace)
        do {
            let store = try await open()
            state = Mutex(.open(store))
            tell(of: store)
        } catch let error as BulkError {
            if case .unavailable = error { throw error }
            state = Mutex(.closed(error))
            tell(error)
        }
    }

    /// Does the jobs of the database while it can be used, and opens it again when it can't, until the service is asked to stop or
    /// its task is cancelled.
    public func run() async {
        while !Task.isCancelled, !Task.isShuttingDownGracefully {
            guard let store = await usable() else {
                await pause()
                continue
            }
            let begun = ContinuousClock.now
            await work(with: store)
            guard let damage = store.damage else { return }
            state.withLock { $0 = .closed(damage) }
            tell(damage)
            do {
                try await NIOThreadPool.singleton.runIfActive { try store.close() }
            } catch {
                logger.debug("the database of jobs is still being read", metadata: ["error": "\(error)"])
            }
            // One that was damaged as soon as it was open will be so again.
            if ContinuousClock.now - begun < pace.reopening { await pause() }
        }
    }

    private func pause() async {
        try? await cancelWhenGracefulShutdown { [pace] in try await Task.sleep(for: pace.reopening) }
    }

    /// The database that is open, or one that can be opened now.
    private func usable() async -> DatabaseJobStore? {
        if case .open(let store) = state.withLock(\.self) { return store }
        do {
            let store = try await open()
            state.withLock { $0 = .open(store) }
            logger.notice("jobs are kept again", metadata: ["folder": "\(folder)"])
            tell(of: store)
            return store
        } catch {
            let found = error as? BulkError ?? .unavailable(reason: "\(error)")
            let isNew = state.withLock { state in
                defer { state = .closed(found) }
                return if case .closed(let before) = state { before != found } else { true }
            }
            if isNew { tell(found) }
            return nil
        }
    }

    /// Does jobs until the service is asked to stop, or the database can't be used any more.
    private func work(with store: DatabaseJobStore) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [runner] in await runner(store).run() }
            group.addTask { [pace] in
                let news = store.signals.news()
                let looking = Task {
                    while !Task.isCancelled, await store.examine() == nil { try? await Task.sleep(for: pace.examining) }
                }
                defer { looking.cancel() }
                if store.damage != nil { return }
                for await one in news where one == .damaged { return }
            }
            await group.next()
            group.cancelAll()
        }
    }

    private func tell(_ error: BulkError) {
        logger.error(
            "jobs are not available",
            metadata: ["folder": "\(folder)", "reason": "\(error)", "again": "\(pace.reopening)"]
        )
    }

    private func tell(of store: DatabaseJobStore) {
        for finding in store.storage.troubles { logger.error("\(finding)", metadata: ["folder": "\(folder)"]) }
    }

    /// The database.
    ///
    /// - Throws: why there is none.
    private var store: DatabaseJobStore {
        get throws(BulkError) {
            switch state.withLock(\.self) {
            case .open(let store): return store
            case .closed(let error): throw error
            }
        }
    }

    // MARK: The store

    /// The state of the database.
    public var storage: BulkStorage {
        switch state.withLock(\.self) {
        case .open(let store): return store.storage
        case .closed(let error):
            var storage = BulkStorage()
            storage.isAvailable = false
            storage.troubles = [error.description]
            storage.fileBytes = JobFolder.files(in: folder).reduce(0) { $0 + (FileIdentity($1)?.size ?? 0) }
            storage.freeBytes = DiskSpace.system.free(folder)
            return storage
        }
    }

    /// Accepts an order; see ``BulkJobStore/accept(_:)``.
    public func accept(_ order: BulkOrder) async throws -> (job: BulkJob, isNew: Bool) {
        try await store.accept(order)
    }

    /// A job as it stands; see ``BulkJobStore/job(_:)``.
    public func job(_ id: String) async throws -> BulkJob? {
        try await store.job(id)
    }

    /// Jobs, the newest first; see ``BulkJobStore/jobs(before:limit:)``.
    public func jobs(before: String?, limit: Int) async throws -> [BulkJob] {
        try await store.jobs(before: before, limit: limit)
    }

    /// Results of a job; see ``BulkJobStore/results(of:after:limit:bytes:)``.
    public func results(of id: String, after sequence: Int, limit: Int, bytes: Int) async throws -> [BulkResult] {
        try await store.results(of: id, after: sequence, limit: limit, bytes: bytes)
    }

    /// Waits for a change of a job; see ``BulkJobStore/waitForChange(of:after:until:)``.
    public func waitForChange(of id: String, after sequence: Int, until deadline: ContinuousClock.Instant) async throws
    {
        try await store.waitForChange(of: id, after: sequence, until: deadline)
    }

    /// Removes a job; see ``BulkJobStore/remove(_:)``.
    public func remove(_ id: String) async throws -> Bool {
        try await store.remove(id)
    }

    /// The webhook to be told next; see ``BulkJobStore/dueNotice(lease:)``.
    public func dueNotice(lease: Duration) async throws -> BulkNotice? {
        try await store.dueNotice(lease: lease)
    }

    /// Says what became of telling a webhook; see ``BulkJobStore/settleNotice(of:as:retry:)``.
    public func settleNotice(of id: String, as state: BulkJob.Webhook, retry: Date?) async throws {
        try await store.settleNotice(of: id, as: state, retry: retry)
    }
}
