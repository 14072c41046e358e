// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NIOCore
import Testing

/// A trained model on photographs, and files made to do harm.
@Suite("The shared folder", .enabled(if: SharedFolder.isThere, SharedFolder.isMissing), .inTurn, .serialized)
struct SharedTests {
    private static let name = "yolov5n-coco-fp16-640"

    private func serve(_ body: (RunningServer) async throws -> Void) async throws {
        let model = try #require(SharedFolder.url).appendingPathComponent("models/\(Self.name).onnx").path
        try await RunningServer.with(.init(models: [model]), body)
    }

    private func bytes(_ path: String) throws -> ByteBuffer {
        try bytes(of: #require(SharedFolder.url).appendingPathComponent(path))
    }

    private func bytes(of file: URL) throws -> ByteBuffer {
        ByteBuffer(bytes: try Data(contentsOf: file))
    }

    @Test("YOLOv5n finds the bus and the people before it")
    func bus() async throws {
        try await serve { server in
            let answer = try await server.predict(try bytes("images/photos/bus.jpg"), model: Self.name)
            let prediction = try answer.json(Prediction.self)
            #expect(prediction.image == .init(width: 810, height: 1080))
            let counts = Dictionary(grouping: prediction.detections, by: \.label).mapValues(\.count)
            #expect(counts["bus"] == 1)
            #expect(counts["person"].map { $0 >= 3 } == true)
            let bus = try #require(prediction.detections.first { $0.label == "bus" })
            #expect(bus.score > 0.5)
            // The bus fills the picture's width between a quarter and three quarters of its height.
            #expect(bus.box[0] < 60 && bus.box[2] > 750)
            #expect(bus.box[1] > 180 && bus.box[1] < 300 && bus.box[3] > 680 && bus.box[3] < 830)
        }
    }

    @Test("Damaged and hostile pictures are refused or answered, and the server lives on within its memory")
    func malformed() async throws {
        try await serve { server in
            let files = SharedFolder.files(in: "images/malformed")
            #expect(files.count > 10)
            let before = try await server.residentBytes
            for file in files {
                let status = try await server.predict(bytes(of: file), model: Self.name).status
                #expect([200, 413, 415, 422].contains(status), "\(file.lastPathComponent)")
            }
            #expect(try await server.predict(bytes("images/photos/zidane.jpg"), model: Self.name).status == 200)
            #expect(try await server.residentBytes - before < 1 << 30)
        }
    }

    @Test("Pictures of many formats are answered, or refused as what they are")
    func formats() async throws {
        try await serve { server in
            let files = SharedFolder.files(in: "images/formats").enumerated().filter { $0.offset % 8 == 0 }.map(
                \.element
            )
            #expect(files.count > 30)
            var answered = 0
            for file in files {
                let answer = try await server.predict(bytes(of: file), model: Self.name)
                #expect([200, 413, 415, 422].contains(answer.status), "\(file.lastPathComponent)")
                if answer.status == 200 { answered += 1 }
            }
            #expect(answered > files.count / 2)
        }
    }
}
