// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NereidInference
import Testing

/// The graphs of Tests/Fixtures/make_fixtures.py, which says what each of them computes.
enum Fixtures {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    static func path(_ name: String) -> String {
        root.appendingPathComponent("Tests/Fixtures/\(name).onnx").path
    }

    static func source(_ name: String) -> GraphSource {
        GraphSource(name: name, content: .file(path: path(name)))
    }

    static func session(
        _ name: String,
        device: Device = .cpu,
        instances: Int? = 1,
        threads: Int? = 1
    ) async throws -> any Session {
        let options = SessionOptions(device: device, instances: instances, threads: threads)
        return try await ONNXRuntimeEngine().makeSession(source(name), options: options)
    }

    /// A grey picture, RGB 0…1, 160x160, with one block of pure colour.
    ///
    /// - Parameters:
    ///   - cell: The block's number, counted along rows of ten cells.
    ///   - colour: 0 red, 1 green, 2 blue.
    static func picture(cell: Int, colour: Int) -> [Float] {
        var picture = [Float](repeating: 0.5, count: 3 * 160 * 160)
        for channel in 0..<3 {
            for row in 0..<16 {
                for column in 0..<16 {
                    let y = cell / 10 * 16 + row
                    let x = cell % 10 * 16 + column
                    picture[(channel * 160 + y) * 160 + x] = channel == colour ? 1 : 0
                }
            }
        }
        return picture
    }

    static func input(cell: Int, colour: Int) throws -> Tensor {
        try Tensor(picture(cell: cell, colour: colour), shape: [1, 3, 160, 160])
    }

    /// The cells that score in an output of shape [1,7,100], each as [cell, colour].
    static func blocks<T: TensorElement & BinaryFloatingPoint>(in output: Tensor, of type: T.Type) throws -> [[Int]] {
        #expect(output.shape == [1, 7, 100])
        return try output.withElements(of: type) { elements in
            var blocks: [[Int]] = []
            for cell in 0..<100 {
                for colour in 0..<3 where elements[(4 + colour) * 100 + cell] > 0.5 {
                    #expect(elements[cell] == T(cell % 10 * 16 + 8))
                    #expect(elements[100 + cell] == T(cell / 10 * 16 + 8))
                    blocks.append([cell, colour])
                }
            }
            return blocks
        }
    }
}

/// Trained models that are not part of the project, beside the repository or where `NEREID_SHARED` says.
enum Shared {
    static let folder: URL = {
        if let path = ProcessInfo.processInfo.environment["NEREID_SHARED"] { return URL(fileURLWithPath: path) }
        return Fixtures.root.deletingLastPathComponent().appendingPathComponent("shared")
    }()

    static let isPresent = FileManager.default.fileExists(atPath: folder.appendingPathComponent("models").path)

    static func model(_ name: String) -> GraphSource {
        GraphSource(name: name, content: .file(path: folder.appendingPathComponent("models/\(name).onnx").path))
    }
}
