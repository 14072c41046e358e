// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NIOCore
import Synchronization
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

    /// What clients saw that send one request after the other, over connections that they keep.
    private final class Seen: Sendable {
        private let state = Mutex((answers: 0, lost: [String]()))

        var answers: Int { state.withLock { $0.answers } }
        var lost: [String] { state.withLock { $0.lost } }
        func answered() { state.withLock { $0.answers += 1 } }
        func lose(_ what: String) { state.withLock { $0.lost.append(what) } }
    }

    @Test("No request on a kept connection is lost when the server is told to stop under load", arguments: 1...4)
    func keptConnections(run: Int) async throws {
        let setup = RunningServer.Setup(
            models: ["blocks-v8"],
            flags: ["--shutdown-delay", "0.3", "--queue-jobs", "100"]
        )
        try await RunningServer.with(setup) { server in
            let (seen, picture, block) = (Seen(), try ByteBuffer.blocks(block), block)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<12 {
                    group.addTask {
                        // Until nobody listens any more.
                        while let connection = try? await RawConnection.open(to: server) {
                            let isLast = try await Self.ask(connection, picture, block, seen)
                            await connection.close()
                            if isLast { return }
                        }
                    }
                }
                try await eventually("requests to be answered") { (seen.answers > 50).orNil }
                server.process.terminate()
                try await group.waitForAll()
            }
            #expect(seen.lost == [])
            #expect(try await server.process.exitStatus(within: .seconds(10)) == 0)
        }
    }

    /// Asks until the server says that it closes the connection.
    ///
    /// - Returns: whether the connection was closed before its first request was read: nobody listens any more.
    private static func ask(
        _ connection: RawConnection,
        _ picture: ByteBuffer,
        _ block: Block,
        _ seen: Seen
    ) async throws -> Bool {
        var isFirst = true
        while true {
            do {
                try await connection.post(RunningServer.path(of: "blocks-v8"), picture)
            } catch {
                if !isFirst { seen.lose("the connection was closed without a word: \(error)") }
                return isFirst
            }
            guard let answer = try await connection.answerIfAny() else {
                if !isFirst { seen.lose("a request was not answered") }
                return isFirst
            }
            if answer.status == 200, try answer.json(Prediction.self).detections == [block.detection] {
                seen.answered()
            } else {
                seen.lose("\(answer.status): \(answer.text)")
            }
            if answer.headers["connection"] == "close" { return false }
            isFirst = false
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
