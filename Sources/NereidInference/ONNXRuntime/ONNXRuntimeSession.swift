// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// A graph loaded into ONNX Runtime, with the threads that run it.
final class ONNXRuntimeSession: Session {
    let graph: GraphDescription
    let device: Device
    let engineName: String
    let instances: Int
    let threads: Int

    private let name: String
    private let library: ONNXRuntimeLibrary
    private let graphs: [ONNXRuntimeGraph]
    private let gate: InstanceGate
    private let runners: SessionThreads

    init(
        _ source: GraphSource,
        library: ONNXRuntimeLibrary,
        engineName: String,
        device: Device,
        size: SessionSize
    ) async throws {
        let closedError = InferenceError.sessionClosed(model: source.name)
        let runners = SessionThreads(count: size.instances, closedError: closedError)
        graphs = try await runners.perform {
            try (0..<size.copies).map { _ in
                try ONNXRuntimeGraph(source, library: library, device: device, threads: size.threads)
            }
        }
        graph = graphs[0].description
        gate = InstanceGate(instances: size.instances, closedError: closedError)
        name = source.name
        instances = size.instances
        threads = size.threads
        self.library = library
        self.engineName = engineName
        self.device = device
        self.runners = runners
    }

    func run(_ inputs: [Tensor]) async throws -> SessionRun {
        try graph.check(inputs, model: name)
        let clock = ContinuousClock()
        let asked = clock.now
        let instance = try await gate.take()
        let graph = graphs[instance % graphs.count]
        let control: ONNXRuntimeRunControl
        do {
            control = try ONNXRuntimeRunControl(library: library)
        } catch {
            gate.giveBack(instance)
            throw InferenceError.runFailed(model: name, reason: error.description)
        }
        return try await withTaskCancellationHandler {
            try await runners.perform { [gate] in
                defer { gate.giveBack(instance) }
                let started = clock.now
                let outputs = try graph.run(inputs, control: control)
                return SessionRun(
                    outputs: outputs,
                    waited: asked.duration(to: started),
                    ran: started.duration(to: clock.now)
                )
            }
        } onCancel: {
            control.cancel()
        }
    }

    var busyInstances: Int { instances - gate.freeCount }

    func shutDown() async {
        gate.close()
        await runners.shutDown()
    }
}
