// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidInference
import Synchronization

/// An engine whose graphs answer every run with the same outputs, whatever the picture.
struct ScriptedEngine: Engine {
    let name = "scripted"
    let version = "1"
    let devices = [Device.cpu]
    let session: ScriptedSession

    /// - Parameter later: the outputs of all runs but the two with which a model is loaded; `nil`: the same.
    init(
        input: [Dimension],
        outputs: [(name: String, tensor: Tensor)],
        metadata: [String: String],
        later: [(name: String, tensor: Tensor)]? = nil
    ) {
        session = ScriptedSession(
            graph: GraphDescription(
                inputs: [TensorDescription(name: "images", elementType: .float32, shape: input)],
                outputs: outputs.map { output in
                    TensorDescription(
                        name: output.name,
                        elementType: output.tensor.elementType,
                        shape: output.tensor.shape.map { .fixed($0) }
                    )
                },
                metadata: metadata
            ),
            first: outputs.map(\.tensor),
            later: (later ?? outputs).map(\.tensor)
        )
    }

    /// A graph that says what it is and is never run.
    init(graph: GraphDescription) {
        session = ScriptedSession(graph: graph, first: [], later: [])
    }

    func makeSession(_ graph: GraphSource, options: SessionOptions) async throws -> any Session { session }
}

final class ScriptedSession: Session {
    let graph: GraphDescription
    let device = Device.cpu
    let engineName = "scripted"
    let instances = 1
    let busyInstances = 0
    let threads = 1
    private let first: [Tensor]
    private let later: [Tensor]
    private let runs = Mutex(0)

    init(graph: GraphDescription, first: [Tensor], later: [Tensor]) {
        (self.graph, self.first, self.later) = (graph, first, later)
    }

    func run(_ inputs: [Tensor]) async throws -> SessionRun {
        let isLoading = runs.withLock { runs in
            runs += 1
            return runs <= 2
        }
        return SessionRun(outputs: isLoading ? first : later, waited: .zero, ran: .zero)
    }

    func shutDown() async {}
}
