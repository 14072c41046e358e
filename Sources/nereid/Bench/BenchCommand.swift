// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import ArgumentParser
import NIOCore
import NereidImaging
import NereidInference
import NereidModels
import NereidServer
import NereidVision

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A load generator, against a server or straight against a model.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure a server (http://HOST:PORT) or a model (PATH): throughput, latency percentiles, errors.",
        discussion: """
            With --concurrency so many requests are always under way. With --rate requests start at fixed times whether or \
            not earlier ones are answered, and latency counts from the time a request was due. Against a model, --stage \
            chooses what is run: the engine alone on a fixed tensor, decoding alone, the prediction on decoded pictures, the \
            whole of it, or the whole as the server does it: by a worker, without the queue or behind it.
            """
    )

    @Argument(help: "http://HOST:PORT of a server, or the path of a model.")
    var target: String

    @Argument(help: "Pictures to send, in turn; folders are searched.")
    var pictures: [String]

    @Option(help: "The model to ask on a server (the first).")
    var model: String?

    @Option(help: "Requests under way at one time.")
    var concurrency = 4

    @Option(help: "Requests a second, instead of a fixed concurrency.")
    var rate: Double?

    @Option(help: "Seconds to measure.")
    var duration: Double = 10

    @Option(help: "Seconds to run before measuring.")
    var warmUp: Double = 2

    @Option(help: "Against a model: engine, decode, predict, whole, worker or queue.")
    var stage: ModelTarget.Stage = .whole

    @Flag(help: "Print one JSON object.")
    var json = false

    @OptionGroup(title: "Engine")
    var engine: EngineFlags

    func validate() throws {
        guard concurrency >= 1, concurrency <= 10_000 else { throw ValidationError("--concurrency must be 1 to 10000") }
        guard rate.map({ $0 > 0 && $0 <= 100_000 }) ?? true else { throw ValidationError("--rate must be above 0") }
        guard duration > 0, warmUp >= 0 else {
            throw ValidationError("--duration must be above 0, --warm-up 0 or more")
        }
    }

    func run() async throws {
        let files = try PictureFiles.find(pictures).files
        let bytes = try files.map { try PictureFiles.read($0) }
        let load: LoadGenerator.Load = rate.map { .rate(perSecond: $0) } ?? .concurrency(concurrency)
        let generator = LoadGenerator(load: load, warmUp: .seconds(warmUp), duration: .seconds(duration))
        let report: LoadReport
        if target.hasPrefix("http://") || target.hasPrefix("https://") {
            let server = try await ServerTarget(url: target, model: model, pictures: bytes)
            report = try await generator.run(on: server)
            try await server.close()
        } else {
            let configuration = try engine.configuration
            let runtime = try Runtime(configuration)
            let served = try await runtime.load(target, session: configuration.session)
            report = try await generator.run(
                on: ModelTarget(served, stage: stage, pictures: bytes, imaging: runtime.imaging)
            )
        }
        print(json ? try report.json : report.text)
    }
}

extension ModelTarget.Stage: ExpressibleByArgument {}
