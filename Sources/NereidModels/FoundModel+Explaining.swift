// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidCheckpoints
public import NereidInference

extension FoundModel {
    /// Does what loads the file, and says what the file is when that fails because of it.
    ///
    /// - Parameter checkpoints: on whose queue the file is looked at, since that blocks.
    /// - Throws: ``ModelsError/notAModel(path:found:advice:)``, ``ModelsError/unusableGraph(path:reason:)`` in the place of
    ///   what the engine throws; what the body throws otherwise.
    public func explaining<Value>(
        on checkpoints: CheckpointConversion,
        _ body: () async throws -> Value
    ) async throws -> Value {
        do {
            return try await body()
        } catch let error {
            guard fingerprint != nil, let better = try? await checkpoints.onQueue({ explanation(of: error) }) else {
                throw error
            }
            throw better
        }
    }

    private func explanation(of error: any Error) -> ModelsError? {
        switch error {
        case InferenceError.graphRejected(_, let reason) where !isCheckpoint && !isDetectron2:
            return ([path] + stagePaths.sorted { $0.key < $1.key }.map(\.value)).lazy
                .compactMap { ModelDiagnosis(path: $0, reason: reason).error }.first
        case ModelsError.configuration(let path, _):
            // A configuration is of no use to a web page that is called weights.
            guard let content = try? FileDescription(path: path), !content.isCheckpoint else { return nil }
            return .notAModel(path: path, found: content.found, advice: content.advice)
        default: return nil
        }
    }
}
