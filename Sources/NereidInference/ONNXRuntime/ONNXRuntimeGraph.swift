// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import CONNXRuntime
import Foundation

/// A graph that ONNX Runtime has loaded.
final class ONNXRuntimeGraph: @unchecked Sendable {
    /// What the graph takes, gives and says about itself.
    let description: GraphDescription

    // `@unchecked Sendable` holds because everything is set once, and ONNX Runtime documents that one session may run
    // on several threads at the same time.
    private let name: String
    private let library: ONNXRuntimeLibrary
    private let session: ONNXRuntimeObject
    private let processorMemory: ONNXRuntimeObject
    private let inputNames: CStrings
    private let outputNames: CStrings

    /// Loads a graph; blocks for as long as that takes.
    ///
    /// - Throws: ``InferenceError/graphUnreadable(model:reason:)``, ``InferenceError/graphRejected(model:reason:)``;
    ///   ``ONNXRuntimeFailure`` when the options cannot be had, such as those for a device.
    init(_ source: GraphSource, library: ONNXRuntimeLibrary, device: Device, threads: Int) throws {
        let options = try library.makeSessionOptions(device: device, threads: threads)
        session = try Self.makeSession(source, library: library, options: options, device: device)
        do {
            description = try library.describe(session)
            processorMemory = try library.make(\.ReleaseMemoryInfo) { api, out in
                api.pointee.CreateCpuMemoryInfo(0, 0, &out)
            }
        } catch {
            throw InferenceError.graphRejected(model: source.name, reason: "\(error)")
        }
        inputNames = CStrings(description.inputs.map(\.name))
        outputNames = CStrings(description.outputs.map(\.name))
        name = source.name
        self.library = library
    }

    /// Runs the graph on the calling thread; blocks until it is done or `control` stops it.
    ///
    /// - Returns: One tensor for each output, which reads the engine's memory in place.
    /// - Throws: ``InferenceError/runFailed(model:reason:)``, `CancellationError`.
    func run(_ inputs: [Tensor], control: ONNXRuntimeRunControl) throws -> [Tensor] {
        do {
            try control.checkCancellation()
            let values = try inputs.map(value(reading:))
            var outputs = [OpaquePointer?](repeating: nil, count: description.outputs.count)
            try call(values, &outputs, control)
            // All of them are owned before any of them is read, so that a failure leaks none.
            let owned = outputs.map { ONNXRuntimeObject($0!, release: library.api.pointee.ReleaseValue, parent: self) }
            // Outputs of kinds that Nereid does not carry were refused by `GraphDescription.check`.
            return try zip(description.outputs, owned).map { try tensor(reading: $1, elementType: $0.elementType!) }
        } catch let failure as ONNXRuntimeFailure {
            try control.checkCancellation()
            throw InferenceError.runFailed(model: name, reason: failure.description)
        }
    }

    private func call(
        _ inputs: [ONNXRuntimeObject],
        _ outputs: inout [OpaquePointer?],
        _ control: ONNXRuntimeRunControl
    ) throws(ONNXRuntimeFailure) {
        let answer = withExtendedLifetime(inputs) {
            let inputPointers: [OpaquePointer?] = inputs.map { $0 { $0 } }
            return session { session in
                control.options { options in
                    library.api.pointee.Run(
                        session,
                        options,
                        inputNames.pointers,
                        inputPointers,
                        inputPointers.count,
                        outputNames.pointers,
                        outputs.count,
                        &outputs
                    )
                }
            }
        }
        try library.check(answer)
    }

    private func value(reading tensor: Tensor) throws(ONNXRuntimeFailure) -> ONNXRuntimeObject {
        let shape = tensor.shape.map(Int64.init)
        return try library.make(\.ReleaseValue) { api, out in
            processorMemory { memory in
                api.pointee.CreateTensorWithDataAsOrtValue(
                    memory,
                    // The function serves outputs too; an input is only read.
                    UnsafeMutableRawPointer(mutating: tensor.start),
                    tensor.byteCount,
                    shape,
                    shape.count,
                    tensor.elementType.onnxCode,
                    &out
                )
            }
        }
    }

    private func tensor(reading value: ONNXRuntimeObject, elementType: ElementType) throws -> Tensor {
        let info = try library.make(\.ReleaseTensorTypeAndShapeInfo) { api, out in
            value { api.pointee.GetTensorTypeAndShape($0, &out) }
        }
        let shape = try info { try library.lengths(of: $0) }
        var start: UnsafeMutableRawPointer?
        try library.check(value { library.api.pointee.GetTensorMutableData($0, &start) })
        return try Tensor(elementType, shape: shape.map(Int.init), reading: start, of: value)
    }

    private static func makeSession(
        _ source: GraphSource,
        library: ONNXRuntimeLibrary,
        options: ONNXRuntimeObject,
        device: Device
    ) throws(InferenceError) -> ONNXRuntimeObject {
        if case .file(let path) = source.content { try checkReadable(path, model: source.name) }
        do {
            return try library.make(\.ReleaseSession) { api, out in
                options { options in
                    switch source.content {
                    case .file(let path):
                        api.pointee.CreateSession(library.environment, path, options, &out)
                    case .bytes(let bytes):
                        api.pointee.CreateSessionFromArray(library.environment, bytes, bytes.count, options, &out)
                    }
                }
            }
        } catch {
            // On a GPU the fault may lie with the device rather than with the graph.
            let place = device == .cpu ? "" : "on \(device): "
            throw .graphRejected(model: source.name, reason: place + error.description)
        }
    }

    /// The engine's own words for a missing file name its source code rather than the file.
    private static func checkReadable(_ path: String, model: String) throws(InferenceError) {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw .graphUnreadable(model: model, reason: "‘\(path)’ does not exist")
        }
        guard !isFolder.boolValue else {
            throw .graphUnreadable(model: model, reason: "‘\(path)’ is a folder, not a file")
        }
        guard FileManager.default.isReadableFile(atPath: path) else {
            throw .graphUnreadable(model: model, reason: "‘\(path)’ may not be read; check its permissions")
        }
    }
}

/// C copies of strings, for functions that want an array of them.
private final class CStrings {
    let pointers: [UnsafePointer<CChar>?]

    init(_ strings: [String]) {
        pointers = strings.map { UnsafePointer(strdup($0)) }
    }

    deinit {
        for pointer in pointers { free(UnsafeMutablePointer(mutating: pointer)) }
    }
}
