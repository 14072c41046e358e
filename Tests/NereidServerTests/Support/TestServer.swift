// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import HTTPTypes
import HummingbirdTesting
import Logging
import NIOCore
import NereidImaging
import NereidInference
import NereidJobs
import NereidModels
import NereidVision

@testable import NereidServer

/// A server with the graphs of Tests/Fixtures/make_fixtures.py for models, which says what each of them computes.
///
/// They take pictures of 160 × 160 in cells of 16. `broken` stands for a file that can't be loaded.
struct TestServer {
    static let imaging = ImagingPool(threads: 2)
    /// Quiet, but with a handler that keeps metadata: Hummingbird keeps the request's id there.
    static let logger = {
        var logger = Logger(label: "tests", factory: { StreamLogHandler.standardError(label: $0) })
        logger.logLevel = .critical
        return logger
    }()
    private static let engine = Result { try ONNXRuntimeEngine() }

    let server: Server
    let repository: ModelRepository

    /// Makes a server and, unless told otherwise, loads its models.
    ///
    /// - Parameters:
    ///   - models: `NAME=FIXTURE`, in the order in which they are listed.
    ///   - folders: folders of models, which are watched.
    ///   - logger: takes the server's log.
    ///   - ports: is told the port when it is run and listens.
    init(
        _ models: [String] = ["blocks=blocks-v8"],
        queue: (any JobQueue)? = nil,
        jobs: (any BulkJobStore)? = nil,
        folders: [String] = [],
        isLoaded: Bool = true,
        logger: Logger = Self.logger,
        ports: AsyncStream<Int>.Continuation? = nil,
        _ configure: (inout ServerConfiguration) -> Void = { _ in },
        certificates: CertificateKeeper? = nil,
        onListening: @escaping @Sendable (Int) -> Void = { _ in }
    ) async throws {
        var configuration = ServerConfiguration()
        configuration.port = 0
        configure(&configuration)
        repository = ModelRepository(
            locations: models.map { model in
                let parts = model.split(separator: "=").map(String.init)
                return ModelLocation(name: parts[0], path: Self.path(of: parts[1]))
            } + folders.map { ModelLocation(path: $0) },
            logger: Self.logger,
            load: Self.load
        )
        if isLoaded { await repository.refresh(isFirst: true) }
        let worker = Worker(imaging: Self.imaging, limits: configuration.pictures)
        server = Server(
            configuration: configuration,
            models: repository,
            queue: queue ?? EmbeddedQueue(worker: worker, limits: configuration.queue),
            jobs: jobs,
            withoutJobsReason: "they are off (setting jobs)",
            imaging: Self.imaging,
            certificates: certificates,
            logger: logger
        ) { port in
            ports?.yield(port)
            onListening(port)
        }
    }

    /// Asks the server over a real connection.
    func test(_ body: @escaping @Sendable (any TestClientProtocol) async throws -> Void) async throws {
        try await server.application.test(.live, body)
    }

    static func path(of fixture: String) -> String {
        // This file is Tests/NereidServerTests/Support/TestServer.swift of the repository.
        let tests = (0..<3).reduce(URL(fileURLWithPath: #filePath)) { url, _ in url.deletingLastPathComponent() }
        return tests.appendingPathComponent("Fixtures/\(fixture).onnx").path
    }

    @Sendable static func load(_ found: FoundModel) async throws -> ServedModel {
        var configuration = VisionModelConfiguration()
        configuration.inputSize = PixelSize(width: 160, height: 160)
        configuration.session = SessionOptions(device: .cpu, instances: 1, threads: 1)
        let vision = try await VisionModel.load(
            GraphSource(name: found.name, content: .file(path: found.path)),
            on: engine.get(),
            configuration: configuration,
            imaging: imaging,
            logger: logger
        )
        return ServedModel(name: found.name, aliases: ["\(found.name)-alias"], path: found.path, vision: vision)
    }
}

/// Pictures as they are uploaded.
enum TestPicture {
    /// A grey PNG with a red block at column 1, row 2 of its cells of 16 pixels, and a green one at column 5, row 3.
    static func blocks(width: Int = 160, height: Int = 160) throws -> ByteBuffer {
        var pixels = [UInt8](repeating: 114, count: width * height * 3)
        for (channel, column, row) in [(0, 1, 2), (1, 5, 3)] {
            for y in row * 16..<(row + 1) * 16 {
                for x in column * 16..<(column + 1) * 16 {
                    for other in 0..<3 { pixels[(y * width + x) * 3 + other] = other == channel ? 255 : 0 }
                }
            }
        }
        return try Picture(width: width, height: height, pixels: pixels).encoded(as: .png)
    }
}

extension TestResponse {
    var text: String { String(buffer: body) }

    /// The body's JSON, in whatever shape; `null` when it is none.
    var json: JSON { (try? JSONDecoder().decode(JSON.self, from: Data(body.readableBytesView))) ?? .null }
}
