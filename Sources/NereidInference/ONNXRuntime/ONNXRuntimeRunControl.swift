// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import CONNXRuntime
import Synchronization

/// Stops one run from outside.
final class ONNXRuntimeRunControl: @unchecked Sendable {
    // `@unchecked Sendable` holds because ONNX Runtime lets one thread set the mark to stop while another runs, and
    // nothing else of the options is touched once they are made.
    /// What the run is given; lent to the library for the duration of it.
    let options: ONNXRuntimeObject

    private let library: ONNXRuntimeLibrary
    private let isCancelled = Atomic(false)

    init(library: ONNXRuntimeLibrary) throws(ONNXRuntimeFailure) {
        options = try library.make(\.ReleaseRunOptions) { api, out in api.pointee.CreateRunOptions(&out) }
        self.library = library
    }

    /// Stops the run before its next node, or before it starts.
    func cancel() {
        isCancelled.store(true, ordering: .releasing)
        // Setting the mark cannot fail; were it to, the run would only last longer.
        try? library.check(options { library.api.pointee.RunOptionsSetTerminate($0) })
    }

    func checkCancellation() throws(CancellationError) {
        if isCancelled.load(ordering: .acquiring) { throw CancellationError() }
    }
}
