// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Runs graphs with ONNX Runtime, which is opened when the engine is made: one program runs with whichever build of
/// the library is installed, and a build for GPUs takes the place of one for processors without a rebuild.
public final class ONNXRuntimeEngine: Engine {
    /// `ONNX Runtime`.
    public let name = "ONNX Runtime"
    /// The version of the library that was opened, such as `1.32.0`.
    public let version: String
    /// The file that was opened.
    public let libraryPath: String
    /// The processor, and the first NVIDIA GPU when the library was built for them.
    public let devices: [Device]

    private let library: ONNXRuntimeLibrary

    /// Opens ONNX Runtime.
    ///
    /// - Parameter path: The library or the folder that holds it. Default: the first one found by ``locate(library:)``.
    /// - Throws: ``InferenceError/libraryNotFound(searched:)``, ``InferenceError/libraryUnusable(path:reason:)``,
    ///   ``InferenceError/libraryTooOld(path:version:required:)``.
    public init(library path: String? = nil) throws {
        let path = try Self.locate(library: path)
        library = try ONNXRuntimeLibrary(path: path)
        do {
            let offersCUDA = try library.providers().contains("CUDAExecutionProvider")
            devices = offersCUDA ? [.cpu, .cuda(0)] : [.cpu]
        } catch {
            throw InferenceError.libraryUnusable(path: path, reason: "\(error)")
        }
        version = library.version
        libraryPath = path
    }

    /// Loads a graph; see ``Engine/makeSession(_:options:)``.
    ///
    /// - Throws: ``InferenceError/graphUnreadable(model:reason:)``, ``InferenceError/graphRejected(model:reason:)``,
    ///   ``InferenceError/deviceUnavailable(_:available:reason:)``,
    ///   ``InferenceError/optionOutOfRange(name:value:allowed:)``.
    public func makeSession(_ graph: GraphSource, options: SessionOptions) async throws -> any Session {
        switch options.device {
        case .cpu:
            return try await load(graph, options, on: .cpu)
        case .cuda:
            guard devices.contains(.cuda(0)) else {
                throw InferenceError.deviceUnavailable(
                    options.device,
                    available: devices,
                    reason: "ONNX Runtime \(version) at ‘\(libraryPath)’ was built without CUDA"
                )
            }
            return try await load(graph, options, on: options.device)
        case .auto:
            for device in devices.reversed() where device != .cpu {
                // A library built for GPUs is often installed where there is none.
                if let session = try? await load(graph, options, on: device) { return session }
                try Task.checkCancellation()
            }
            return try await load(graph, options, on: .cpu)
        }
    }

    private func load(
        _ graph: GraphSource,
        _ options: SessionOptions,
        on device: Device
    ) async throws -> ONNXRuntimeSession {
        let size = try options.size(on: device)
        do {
            return try await ONNXRuntimeSession(
                graph,
                library: library,
                engineName: "\(name) \(version)",
                device: device,
                size: size
            )
        } catch let failure as ONNXRuntimeFailure {
            throw InferenceError.deviceUnavailable(device, available: devices, reason: failure.description)
        }
    }
}
