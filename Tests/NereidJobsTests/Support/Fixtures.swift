// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Logging
import NIOCore
import NereidImaging
import NereidInference
import NereidJobs
import NereidModels
import NereidVision

/// The graphs of Tests/Fixtures/make_fixtures.py, which says what each of them computes.
enum Fixtures {
    static let imaging = ImagingPool(threads: 2)
    private static let engine = Result { try ONNXRuntimeEngine() }

    /// A fixture that takes pictures of 160 × 160, served under its own name.
    static func served(
        _ name: String,
        on stub: (any Engine)? = nil,
        maxBatch: Int? = nil
    ) async throws -> ServedModel {
        // This file is Tests/NereidJobsTests/Support/Fixtures.swift of the repository.
        let tests = (0..<3).reduce(URL(fileURLWithPath: #filePath)) { url, _ in url.deletingLastPathComponent() }
        let path = tests.appendingPathComponent("Fixtures/\(name).onnx").path
        var configuration = VisionModelConfiguration()
        configuration.inputSize = PixelSize(width: 160, height: 160)
        configuration.session = SessionOptions(device: .cpu, instances: 1, threads: 1)
        configuration.maxBatch = maxBatch
        let vision = try await VisionModel.load(
            GraphSource(name: name, content: .file(path: path)),
            on: try stub ?? engine.get(),
            configuration: configuration,
            imaging: imaging,
            logger: Logger(label: "tests") { _ in SwiftLogNoOpLogHandler() }
        )
        return ServedModel(name: name, aliases: [], path: path, vision: vision)
    }

    /// A grey PNG of 160 × 160 with one red block at a column and a row of cells of 16 pixels.
    static func picture(column: Int = 0, row: Int = 0, width: Int = 160, height: Int = 160) throws -> ByteBuffer {
        var pixels = [UInt8](repeating: 114, count: width * height * 3)
        for y in row * 16..<(row + 1) * 16 {
            for x in column * 16..<(column + 1) * 16 {
                for channel in 0..<3 { pixels[(y * width + x) * 3 + channel] = channel == 0 ? 255 : 0 }
            }
        }
        return try Picture(width: width, height: height, pixels: pixels).encoded(as: .png)
    }

    static let redBox = Box(x1: 0, y1: 0, x2: 16, y2: 16)
}

extension Job {
    /// A job that nobody is in a hurry for.
    init(
        _ picture: ByteBuffer,
        for model: ServedModel,
        options: PredictionOptions = .init(),
        within time: Duration = .seconds(300),
        keepsPicture: Bool = false,
        lane: Lane = .interactive
    ) {
        self.init(
            id: "test",
            model: model,
            picture: picture,
            options: options,
            deadline: .now + time,
            keepsPicture: keepsPicture,
            lane: lane
        )
    }
}

extension EmbeddedQueue {
    /// Lets other tasks go on until a model's jobs stand as expected.
    func becomes(_ model: ServedModel, _ isExpected: (QueueLoad) -> Bool) async {
        while !isExpected(load(of: model.name)) { await Task.yield() }
    }
}
