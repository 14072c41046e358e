// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension Engine {
    /// Checks that sessions can compute on a device, by running a graph of one operator there. A library that was built for GPUs is
    /// often installed where there is none, and only a run shows it.
    ///
    /// - Throws: ``InferenceError/deviceUnavailable(_:available:reason:)``, which names the other devices that there are.
    public func check(_ device: Device) async throws {
        do {
            let options = SessionOptions(device: device, instances: 1, threads: 1)
            let session = try await makeSession(.probe, options: options)
            do {
                _ = try await session.run([Tensor([1 as Float], shape: [1])])
            } catch {
                await session.shutDown()
                throw error
            }
            await session.shutDown()
        } catch let error as InferenceError {
            let others = devices.filter { $0 != device }
            throw switch error {
            case .deviceUnavailable(_, _, let reason), .graphRejected(_, let reason), .runFailed(_, let reason):
                InferenceError.deviceUnavailable(device, available: others, reason: reason)
            default: error
            }
        }
    }
}

extension GraphSource {
    /// An ONNX graph of one operator, `y = -x` for one number.
    fileprivate static let probe = GraphSource(
        name: "probe",
        content: .bytes([
            0x08, 0x08, 0x12, 0x00, 0x3a, 0x32, 0x0a, 0x0b, 0x0a, 0x01, 0x78, 0x12, 0x01, 0x79, 0x22, 0x03, 0x4e, 0x65,
            0x67, 0x12, 0x01, 0x70, 0x5a, 0x0f, 0x0a, 0x01, 0x78, 0x12, 0x0a, 0x0a, 0x08, 0x08, 0x01, 0x12, 0x04, 0x0a,
            0x02, 0x08, 0x01, 0x62, 0x0f, 0x0a, 0x01, 0x79, 0x12, 0x0a, 0x0a, 0x08, 0x08, 0x01, 0x12, 0x04, 0x0a, 0x02,
            0x08, 0x01, 0x42, 0x04, 0x0a, 0x00, 0x10, 0x0d,
        ])
    )
}
