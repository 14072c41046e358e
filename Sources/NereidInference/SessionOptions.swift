// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// How a graph is to be run.
public struct SessionOptions: Sendable, Hashable {
    /// Where to compute. Default: ``Device/auto``.
    public var device: Device
    /// How many runs may proceed at the same time, 1…256. Default: the number of cores divided by `threads`.
    public var instances: Int?
    /// How many threads share the arithmetic of one run on the processor, 1…256. Default: 1, which serves most pictures
    /// per second; when `instances` is given, the number of cores divided by it, so that `instances` 1 answers a single
    /// request soonest.
    public var threads: Int?

    /// Chooses how to run a graph.
    public init(device: Device = .auto, instances: Int? = nil, threads: Int? = nil) {
        self.device = device
        self.instances = instances
        self.threads = threads
    }
}
