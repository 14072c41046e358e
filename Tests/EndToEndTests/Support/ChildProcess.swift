// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Testing

/// A program that the tests have started.
///
/// What it prints goes to files, not pipes: a pipe may fill, and its end may be inherited by another test's program.
struct ChildProcess: Sendable {
    private let process: Process
    private let outputFile: URL
    private let errorFile: URL

    /// Starts a program in the repository's root, where `.native` is found.
    ///
    /// - Parameters:
    ///   - environment: added to this process's own, which is handed on without Nereid's settings.
    ///   - folder: where to keep what it prints.
    ///   - workingFolder: where to start it instead.
    init(
        _ program: String,
        _ arguments: [String],
        environment: [String: String] = [:],
        folder: URL,
        workingFolder: URL = Repository.root
    ) throws {
        process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.currentDirectoryURL = workingFolder
        // Tests leave nothing in the user's own cache, and find nothing there.
        process.environment = Self.cleanEnvironment.merging(["NEREID_CACHE": "off", "NEREID_JOBS": "off"]) { $1 }
            .merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        let name = UUID().uuidString
        (outputFile, errorFile) = (
            folder.appendingPathComponent("\(name).out"), folder.appendingPathComponent("\(name).err")
        )
        process.standardOutput = try Self.file(at: outputFile)
        process.standardError = try Self.file(at: errorFile)
        try process.run()
    }

    /// The executable under test, which stands beside the tests in the build folder.
    static let nereid: String = {
        let bundle = Bundle(for: BundleMark.self).bundleURL
        // On macOS the tests are a bundle there; elsewhere they are an executable, whose bundle is its folder.
        let folder = bundle.pathExtension == "xctest" ? bundle.deletingLastPathComponent() : bundle
        return folder.appendingPathComponent("nereid").path
    }()

    private final class BundleMark {}

    private static let cleanEnvironment = ProcessInfo.processInfo.environment.filter { name, value in
        (!name.hasPrefix("NEREID_") || name == "NEREID_ONNXRUNTIME") && name != "SERVER_PORT"
    }

    private static func file(at url: URL) throws -> FileHandle {
        try Data().write(to: url)
        return try FileHandle(forWritingTo: url)
    }

    /// All that it has printed to standard output so far.
    var output: String { Self.text(of: outputFile) }

    /// All that it has printed to standard error so far.
    var errors: String { Self.text(of: errorFile) }

    private static func text(of file: URL) -> String {
        String(decoding: (try? Data(contentsOf: file)) ?? Data(), as: UTF8.self)
    }

    var isRunning: Bool { process.isRunning }

    func terminate() { send(SIGTERM) }

    func interrupt() { send(SIGINT) }

    func kill() { send(SIGKILL) }

    private func send(_ signal: Int32) {
        guard process.isRunning else { return }
        Foundation.kill(process.processIdentifier, signal)
    }

    /// Waits for the program's end. One that takes too long is killed, and an error thrown.
    ///
    /// - Returns: the status it ended with; 128 and the signal's number when a signal ended it.
    func exitStatus(within limit: Duration = .seconds(30)) async throws -> Int32 {
        do {
            try await eventually("the end of \(process.arguments?.first ?? "a program")", within: limit) {
                (!process.isRunning).orNil
            }
        } catch {
            kill()
            throw error
        }
        return process.terminationReason == .exit ? process.terminationStatus : 128 + process.terminationStatus
    }
}

extension ChildProcess {
    /// What a program has left behind.
    struct Ended: Sendable {
        let status: Int32
        let output: String
        let errors: String
    }

    /// Runs `nereid`, or another program, to its end.
    static func run(
        _ program: String = nereid,
        arguments: [String],
        environment: [String: String] = [:],
        within limit: Duration = .seconds(60)
    ) async throws -> Ended {
        try await TemporaryFolder.with { folder in
            let process = try ChildProcess(program, arguments, environment: environment, folder: folder)
            let status = try await process.exitStatus(within: limit)
            return Ended(status: status, output: process.output, errors: process.errors)
        }
    }
}
