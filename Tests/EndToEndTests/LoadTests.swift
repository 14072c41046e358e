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

    @Test("Beyond max_connections, only health is answered until there is room")
    func connections() async throws {
        try await RunningServer.with(.init(models: ["blocks-v8"], flags: ["--max-connections", "4"])) { server in
            let picture = try ByteBuffer.blocks(block)
            let head = ByteBuffer.request("Content-Length: \(picture.readableBytes)")
            // Their requests have begun; for those beyond the limit there is no place.
            var busy: [RawConnection] = []
            for _ in 0..<5 {
                let connection = try await RawConnection.open(to: server)
                try await connection.send(head)
                busy.append(connection)
            }
            try await eventually("a request to be refused") {
                try await RawConnection.with(server) { late in
                    try await late.post(RunningServer.path(of: "blocks-v8"), picture)
                    let answer = try await late.answer()
                    guard answer.status != 200 else { return Bool?.none }
                    #expect((answer.status, answer.problemCode) == (503, "too_many_connections"))
                    #expect(answer.headers["connection"] == "close")
                    #expect(answer.headers["retry-after"].flatMap { Int($0) }.map { (1...60).contains($0) } == true)
                    try await late.ends()
                    return true
                }
            }
            #expect(try await server.health().status == 200)
            var answered = 0
            for connection in busy {
                // One that was refused may be closed already.
                try? await connection.send(picture)
                let answer = try #require(try await connection.answerIfAny())
                if answer.status == 200 {
                    #expect(try answer.json(Prediction.self).detections == [block.detection])
                    answered += 1
                } else {
                    #expect(answer.problemCode == "too_many_connections")
                }
                await connection.close()
            }
            #expect((3...4).contains(answered))
            try await server.expectCorrectAnswer()
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

extension RunningServer {
    /// Asks for health over a connection of its own.
    fileprivate func health() async throws -> Answer {
        try await RawConnection.with(self) { connection in
            try await connection.send("GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return try await connection.answer()
        }
    }
}
