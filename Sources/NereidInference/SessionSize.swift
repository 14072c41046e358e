// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore

/// How many runs, threads and copies of a graph a session has.
struct SessionSize: Equatable {
    /// How many runs proceed at the same time.
    let instances: Int
    /// How many threads share one run.
    let threads: Int

    /// How many times the graph is loaded. One-thread runs work on their caller's thread, so that all of them can share
    /// one copy; runs of several threads would contend for one copy's pool of threads.
    ///
    /// Two runs of YOLOv5n at a time: 39 images/s with one copy or with two, and 30 MB less with one.
    var copies: Int { threads == 1 ? 1 : instances }
}

extension SessionOptions {
    /// The range of `instances` and of `threads`.
    static let allowed = 1...256

    /// Fills in the defaults.
    ///
    /// On the processor: as many instances of one thread as the process may use cores; when one of the numbers is
    /// given, the cores are divided by it. On a GPU: one instance, as a GPU is best kept busy by one graph at a time
    /// (not measured).
    ///
    /// YOLOv5n (float16, 640x640) on two AMD EPYC cores with AVX-512 gave 39 images/s with two instances of one thread,
    /// 34 with one of two threads, and 39 with four of one. One instance of two threads answers a single request
    /// soonest: in 29 ms rather than 49.
    ///
    /// - Throws: ``InferenceError/optionOutOfRange(name:value:allowed:)``.
    func size(on device: Device, cores: Int = System.coreCount) throws(InferenceError) -> SessionSize {
        for (name, value) in [("instances", instances), ("threads", threads)] {
            guard let value, !Self.allowed.contains(value) else { continue }
            throw .optionOutOfRange(name: name, value: value, allowed: Self.allowed)
        }
        guard device == .cpu else { return SessionSize(instances: instances ?? 1, threads: 1) }
        switch (instances, threads) {
        case (let instances?, let threads?): return SessionSize(instances: instances, threads: threads)
        case (let instances?, nil): return SessionSize(instances: instances, threads: max(1, cores / instances))
        case (nil, let threads):
            let threads = threads ?? 1
            return SessionSize(instances: max(1, cores / threads), threads: threads)
        }
    }
}
