// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NIOCore
import Testing

@Suite("Stopping and starting again", .inTurn, .serialized)
struct ShutdownTests {
    private let block = Block(column: 4, row: 0, colour: .green)

    @Test("Told to stop, the server finishes what it has taken and refuses what is new")
    func gracefulShutdown() async throws {
        let setup = RunningServer.Setup(models: ["slow"], flags: ["--instances", "1", "--threads", "1"])
        let port = try await RunningServer.with(setup) { server in
            let picture = try ByteBuffer.blocks(block)
            let count = 6
            let answers = try await withThrowingTaskGroup(of: Answer.self) { group in
                for _ in 0..<count { group.addTask { try await server.predict(picture, model: "slow") } }
                try await eventually("the requests to be taken") {
                    try await (server.pending("slow") == count).orNil
                }
                server.process.terminate()
                try await eventually("readiness to end") {
                    // An error means that the connection was refused.
                    let status = (try? await server.get("/health/ready"))?.status ?? 503
                    return (status == 503).orNil
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.map(\.status) == Array(repeating: 200, count: count))
            #expect(try answers.allSatisfy { try $0.json(Prediction.self).detections == [block.detection] })
            #expect(try await server.process.exitStatus() == 0)
            return server.port
        }
        try await serves(on: port)
    }

    @Test("For shutdown_delay after the signal, readiness is denied but requests are still taken")
    func shutdownDelay() async throws {
        let setup = RunningServer.Setup(models: ["blocks-v8"], flags: ["--shutdown-delay", "2"])
        try await RunningServer.with(setup) { server in
            server.process.terminate()
            let missing = try await eventually("readiness to end") {
                let answer = try await server.get("/health/ready")
                return answer.status == 503 ? try answer.json(Readiness.self).missing : nil
            }
            #expect(missing == ["the server is shutting down"])
            try await RawConnection.with(server) { connection in
                try await connection.post(RunningServer.path(of: "blocks-v8"), .blocks(block))
                #expect(try await connection.answer().status == 200)
            }
        }
    }

    @Test("Connections that are kept open do not delay the end")
    func idleConnections() async throws {
        try await RunningServer.with(.init(models: ["blocks-v8"])) { server in
            try await RawConnection.with(server) { silent in
                try await RawConnection.with(server) { used in
                    try await used.post(RunningServer.path(of: "blocks-v8"), .blocks(block))
                    #expect(try await used.answer().status == 200)
                    server.process.terminate()
                    #expect(try await server.process.exitStatus(within: .seconds(5)) == 0)
                    try await silent.ends()
                }
            }
        }
    }

    @Test("What still runs after shutdown_timeout is cut off")
    func shutdownTimeout() async throws {
        let setup = RunningServer.Setup(models: ["blocks-v8"], flags: ["--shutdown-timeout", "1"])
        try await RunningServer.with(setup) { server in
            try await RawConnection.with(server) { connection in
                try await connection.send(.request("Content-Length: 5000"))
                try await connection.send("x")
                // Connections are taken in turn: when a later one is answered, this one is there.
                try await server.expectCorrectAnswer()
                server.process.terminate()
                #expect(try await server.process.exitStatus(within: .seconds(10)) == 0)
            }
        }
    }

    @Test("After being killed, the server starts again on the same port")
    func killed() async throws {
        let port = try await RunningServer.with(.init(models: ["blocks-v8"], endsWith: 128 + SIGKILL)) { server in
            try await RawConnection.with(server) { connection in
                try await connection.post(RunningServer.path(of: "blocks-v8"), .blocks(block))
                #expect(try await connection.answer().status == 200)
                server.process.kill()
                try await connection.ends()
            }
            return server.port
        }
        try await serves(on: port)
    }

    private func serves(on port: Int) async throws {
        try await RunningServer.with(.init(models: ["blocks-v8"], flags: ["--port", "\(port)"])) { server in
            #expect(server.port == port)
            try await server.expectCorrectAnswer()
        }
    }
}
