// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NIOCore
import NereidImaging
import Testing

@Suite("More work than there is room for", .inTurn, .serialized)
struct LoadTests {
    private let block = Block(column: 0, row: 0, colour: .red)

    @Test("A flood is answered with pictures' answers and with 503, and memory stays bounded")
    func flood() async throws {
        let (count, uploadMemory) = (500, 64 << 20)
        let setup = RunningServer.Setup(
            models: ["slow"],
            flags: ["--queue-jobs", "8", "--max-upload-memory", "64MiB"]
        )
        try await RunningServer.with(setup) { server in
            let before = try await server.residentBytes
            let picture = try noisyPicture()
            let watch = Task {
                var peak = before
                while !Task.isCancelled {
                    if let bytes = try? await server.residentBytes { peak = max(peak, bytes) }
                    try? await Task.sleep(for: .milliseconds(50))
                }
                return peak
            }
            let answers = try await withThrowingTaskGroup(of: Answer.self) { group in
                for _ in 0..<count { group.addTask { try await server.predict(picture, model: "slow") } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            watch.cancel()
            let peak = await watch.value
            #expect(Set(answers.map(\.status)) == [200, 503])
            for answer in answers {
                switch answer.status {
                case 200: #expect(try answer.json(Prediction.self).detections.contains(block.detection))
                default:
                    #expect(answer.headers["retry-after"].flatMap { Int($0) }.map { $0 >= 1 } == true)
                    #expect(["queue_full", "upload_memory_full"].contains(answer.problemCode))
                }
            }
            // All uploads together; what each connection has received and nobody has read yet; a dozen decoded pictures with
            // their tensors, 6 MiB each, and what allocators keep.
            let bound = uploadMemory + count * 512 << 10 + 128 << 20
            #expect(peak - before < bound)
            try await server.expectCorrectAnswer(model: "slow")
            try await eventually("the uploads' memory to be given back") {
                try await (server.metric("nereid_upload_bytes") == 0).orNil
            }
        }
    }

    /// A block before noise, so that the file is as large as a photograph's: 900 KB.
    private func noisyPicture() throws -> ByteBuffer {
        let side = Block.columns * Block.side
        var random = SystemRandomNumberGenerator()
        var pixels = [UInt8](repeating: 0, count: side * side * 3)
        for start in stride(from: 0, to: pixels.count, by: 4) {
            let bits: UInt32 = random.next()
            for offset in 0..<4 { pixels[start + offset] = UInt8(truncatingIfNeeded: bits >> (8 * offset)) & 0x3F }
        }
        for y in 0..<Block.side {
            for offset in 0..<Block.side * 3 { pixels[y * side * 3 + offset] = offset % 3 == 0 ? 255 : 0 }
        }
        return try Picture(width: side, height: side, pixels: pixels).encoded(as: .png)
    }

    @Test("The work of clients that leave is not done")
    func disconnecting() async throws {
        let setup = RunningServer.Setup(models: ["slow"], flags: ["--instances", "1", "--threads", "1"])
        try await RunningServer.with(setup) { server in
            let picture = try ByteBuffer.blocks(block)
            let one = ContinuousClock.now
            #expect(try await server.predict(picture, model: "slow").status == 200)
            let oneRun = ContinuousClock.now - one

            let count = 24
            var connections: [RawConnection] = []
            for _ in 0..<count {
                let connection = try await RawConnection.open(to: server)
                try await connection.post(RunningServer.path(of: "slow"), picture)
                connections.append(connection)
            }
            try await eventually("most of them to wait or run") { try await (server.pending("slow") > count / 2).orNil }
            let left = ContinuousClock.now
            for connection in connections { await connection.close() }
            try await eventually("nothing to wait or run") { try await (server.pending("slow") == 0).orNil }
            #expect(ContinuousClock.now - left < oneRun * 6, "as long as if some of the work had been done")
            let gone = #"nereid_predictions_total{model="slow",outcome="client_gone"}"#
            try await eventually("all to be counted") {
                let done = try await server.metric(#"nereid_predictions_total{model="slow",outcome="ok"}"#)
                return try await (server.metric(gone) + done == Double(count + 1)).orNil
            }
            #expect(try await server.metric(gone) > Double(count / 2))
            try await server.expectCorrectAnswer(model: "slow")
        }
    }

    @Test("Connections beyond max_connections wait until there is room")
    func connections() async throws {
        try await RunningServer.with(.init(models: ["blocks-v8"], flags: ["--max-connections", "4"])) { server in
            let picture = try ByteBuffer.blocks(block)
            // The client that has asked for readiness holds one. The others are known to be taken by their answers.
            var idle: [RawConnection] = []
            for _ in 0..<3 {
                let connection = try await RawConnection.open(to: server)
                try await connection.post(RunningServer.path(of: "blocks-v8"), picture)
                #expect(try await connection.answer().status == 200)
                idle.append(connection)
            }
            // The server may have been about to take one more when the last of them was counted.
            idle.append(try await RawConnection.open(to: server))
            try await server.expectCorrectAnswer()
            try await RawConnection.with(server) { late in
                try await late.post(RunningServer.path(of: "blocks-v8"), picture)
                try await server.expectCorrectAnswer()
                #expect(!late.hasNews)
                for connection in idle { await connection.close() }
                #expect(try await late.answer().json(Prediction.self).detections == [block.detection])
            }
        }
    }

    @Test("A picture whose time is over is answered with 504")
    func deadline() async throws {
        let setup = RunningServer.Setup(
            models: ["slow"],
            flags: ["--instances", "1", "--threads", "1", "--request-timeout", "1"]
        )
        try await RunningServer.with(setup) { server in
            let picture = try ByteBuffer.blocks(block)
            let answers = try await withThrowingTaskGroup(of: Answer.self) { group in
                for _ in 0..<20 { group.addTask { try await server.predict(picture, model: "slow") } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            // On a busy machine not even the first may be answered in time.
            #expect(answers.contains { $0.status == 504 })
            #expect(answers.allSatisfy { [200, 504].contains($0.status) })
            #expect(Set(answers.compactMap(\.problemCode)) == ["deadline_passed"])
            try await eventually("nothing to wait or run") { try await (server.pending("slow") == 0).orNil }
        }
    }
}
