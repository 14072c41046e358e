// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NereidJobs
import TestSupport
import Testing

/// A real redis-server on a free port, which ends with its last reference.
final class RedisServer: Sendable {
    let port: Int
    let folder: TemporaryFolder
    private let process: Process
    private let arguments: [String]

    static let isInstalled = executable("redis-server") != nil
    static let missing: Comment = "redis-server is not installed; scripts/setup --tests installs it"

    struct NotStarted: Error {}

    /// Starts a server and waits until it takes connections.
    ///
    /// - Parameters:
    ///   - arguments: settings of its own, as on its command line.
    ///   - port: the port, or `nil` for one that is free.
    init(_ arguments: [String] = [], port: Int? = nil, folder: TemporaryFolder? = nil) async throws {
        let folder = try folder ?? TemporaryFolder()
        // A port may be taken by others at any time, so that all that helps is to try.
        for _ in 0..<(port == nil ? 20 : 1) {
            let port = port ?? Int.random(in: 20_000..<60_000)
            if let process = try await Self.start(["--port", "\(port)"] + arguments, in: folder) {
                (self.port, self.folder, self.process, self.arguments) = (port, folder, process, arguments)
                return
            }
        }
        throw NotStarted()
    }

    deinit { process.terminate() }

    var url: String { "redis://127.0.0.1:\(port)/0" }

    func address() throws -> RedisAddress { try RedisAddress(parsing: url) }

    /// Ends the server, at once, and returns when it is gone.
    func kill() {
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// The same server anew, on the same port and in the same folder.
    func restarted() async throws -> RedisServer {
        try await RedisServer(arguments, port: port, folder: folder)
    }

    /// A server that takes connections, or `nil` when it has ended instead.
    private static func start(_ arguments: [String], in folder: TemporaryFolder) async throws -> Process? {
        let process = Process()
        process.executableURL = executable("redis-server").map(URL.init(fileURLWithPath:))
        process.arguments = arguments + ["--save", "", "--dir", folder.path, "--bind", "127.0.0.1", "::1"]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        // What the server says is read as long as it lives, so that it never waits for a reader.
        let (pieces, piece) = AsyncStream<Data>.makeStream()
        output.fileHandleForReading.readabilityHandler = { handle in
            let data = handle.availableData
            piece.yield(data)
            if data.isEmpty {
                handle.readabilityHandler = nil
                piece.finish()
            }
        }
        try process.run()
        var log = Data()
        for await data in pieces {
            log.append(data)
            if String(decoding: log, as: UTF8.self).contains("eady to accept connections") { return process }
        }
        return nil
    }

    private static func executable(_ name: String) -> String? {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        return folders.map { "\($0)/\(name)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }
}
