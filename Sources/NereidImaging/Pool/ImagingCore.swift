// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import CVips
import NIOPosix
import Synchronization

/// The threads of a pool and the schedule of what runs on them.
final class ImagingCore: Sendable {
    private struct State {
        var schedule: ImagingSchedule<ImagingWork>
        var lastNumber: UInt64 = 0
        /// Whether a large picture was decoded since memory was last returned to the system.
        var mayTrim = false
    }

    private let pool: NIOThreadPool
    private let state: Mutex<State>

    init(threads: Int, memory: Int) {
        pool = NIOThreadPool(numberOfThreads: threads)
        pool.start()
        state = Mutex(State(schedule: ImagingSchedule(threads: threads, memory: memory)))
    }

    deinit { pool.shutdownGracefully { _ in } }

    func number() -> UInt64 {
        state.withLock { state in
            state.lastNumber += 1
            return state.lastNumber
        }
    }

    var load: ImagingLoad {
        state.withLock { state in
            ImagingLoad(
                running: state.schedule.runningCount,
                waiting: state.schedule.waitingCount,
                bytes: state.schedule.budget.used,
                mostBytes: state.schedule.budget.limit
            )
        }
    }

    /// The budget as it is, for what depends on its sizes only.
    var budget: DecodingBudget { state.withLock { $0.schedule.budget } }

    func submit(_ work: ImagingWork) {
        guard let begun = state.withLock({ $0.schedule.add(work.number, work.claim, work) }) else {
            return work.refuse(ImagingError.poolIsShutDown)
        }
        begin(begun)
    }

    func withdraw(_ number: UInt64) {
        begin(state.withLock { $0.schedule.withdraw(number).begun })
    }

    /// Memory for work that runs, if it is there now.
    func extend(_ number: UInt64, isLarge: Bool, bytes: Int) -> DecodingMemory? {
        guard state.withLock({ $0.schedule.extend(number, isLarge: isLarge, bytes: bytes) }) else { return nil }
        return DecodingMemory(bytes, isLarge: isLarge, of: self)
    }

    func giveBack(_ bytes: Int, isLarge: Bool) {
        let begun = state.withLock { state in
            if isLarge { state.mayTrim = true }
            return state.schedule.giveBack(bytes, isLarge: isLarge)
        }
        begin(begun)
        trimIfIdle()
    }

    private func finish(_ number: UInt64) {
        begin(state.withLock { $0.schedule.finish(number) })
        trimIfIdle()
    }

    private func begin(_ works: [ImagingWork]) {
        for work in works {
            pool.submit { [self] state in
                let memory =
                    work.claim.bytes > 0
                    ? DecodingMemory(work.claim.bytes, isLarge: work.claim.isLarge, of: self) : nil
                switch state {
                case .active: work.perform(with: memory)
                case .cancelled: work.refuse(ImagingError.poolIsShutDown)
                }
                finish(work.number)
            }
        }
    }

    /// glibc keeps what is freed for later allocations of the same thread: after large pictures that is much, and no other
    /// thread or process can use it.
    private func trimIfIdle() {
        let isDue = state.withLock { state in
            guard state.mayTrim, state.schedule.isIdle else { return false }
            state.mayTrim = false
            return true
        }
        // Takes milliseconds, and giving memory back may happen on any thread.
        if isDue { pool.submit { _ in cvips_release_memory() } }
    }

    /// Refuses the work that waits, cancels the work that runs, and stops the threads.
    func shutDown() async {
        let (waiting, running) = state.withLock { ($0.schedule.close(), $0.schedule.runningWorks) }
        for work in running { work.flag.set() }
        for work in waiting { work.refuse(ImagingError.poolIsShutDown) }
        // The only error is that a pool cannot be stopped, and this one can.
        try? await pool.shutdownGracefully()
    }
}

/// What a pool is doing at this moment.
public struct ImagingLoad: Sendable, Hashable {
    /// Pieces of work that run.
    public var running: Int
    /// Pieces of work that wait for a thread or for memory.
    public var waiting: Int
    /// Bytes of the budget that pictures hold.
    public var bytes: Int
    /// Bytes of the budget.
    public var mostBytes: Int

    /// Makes a load.
    public init(running: Int, waiting: Int, bytes: Int, mostBytes: Int) {
        (self.running, self.waiting, self.bytes, self.mostBytes) = (running, waiting, bytes, mostBytes)
    }
}
