// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import ArgumentParser
import NIOCore
import NereidImaging
import NereidInference
import NereidJobs
import NereidModels
import NereidServer
import NereidVision

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Pictures in bulk, without a server.
struct PredictCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "predict",
        abstract: "Run a model over pictures and folders of pictures.",
        discussion: """
            Results go to standard output or to --output, in the order of the pictures; the progress bar to standard error. \
            A picture that can't be decoded is reported in its place, and the command ends with status 1.
            """
    )

    @Argument(help: "The model: PATH or NAME=PATH.")
    var model: String

    @Argument(help: "Pictures, and folders to be searched for pictures.")
    var pictures: [String]

    @Option(help: "json or csv.")
    var format: PredictionOutput.Format = .json

    @Option(help: "File for the results (standard output).")
    var output: String?

    @Option(help: "Folder to write the pictures to, with what was found drawn on them.")
    var annotate: String?

    @Option(help: "Least score, 0 to 1 (the model's).")
    var confidence: Float?

    @Option(help: "Greatest overlap of two objects of one class, 0 to 1 (the model's).")
    var iou: Float?

    @Option(help: "Most detections in one picture (the model's).")
    var maxDetections: Int?

    @Option(help: "Most classes of a picture, from a model that classifies (the model's).")
    var topK: Int?

    @Option(help: "Only these classes: labels or numbers, separated by commas (all).")
    var classes: String?

    @OptionGroup(title: "Engine")
    var engine: EngineFlags

    func validate() throws {
        for (name, value) in [("confidence", confidence), ("iou", iou)] {
            guard value.map({ (0...1).contains($0) }) ?? true else {
                throw ValidationError("--\(name) must be a number from 0 to 1")
            }
        }
        for (name, value) in [("max-detections", maxDetections), ("top-k", topK)] {
            guard value.map({ $0 >= 1 }) ?? true else { throw ValidationError("--\(name) must be 1 or more") }
        }
    }

    func run() async throws {
        let configuration = try engine.configuration
        let files = try PictureFiles.find(pictures)
        let runtime = try Runtime(configuration)
        let served = try await runtime.load(model, session: configuration.session)
        let options = PredictionOptions(
            confidence: confidence,
            iou: iou,
            maxDetections: maxDetections,
            classes: try classes.map { try served.vision.classIDs(named: $0.split(separator: ",").map(String.init)) },
            topClasses: topK
        )
        let folder = try annotate.map(AnnotatedFolder.init)
        let sink = try PredictionOutput(format: format, path: output)
        let progress = ProgressBar(total: files.count)
        let worker = Worker(imaging: runtime.imaging)
        var failures = 0
        try sink.begin()
        try await files.forEachInOrder(atMost: served.vision.session.instances + 1) { file in
            await predict(file, served, options, worker: worker, imaging: runtime.imaging, folder: folder)
        } _: { file, result in
            if case .failure = result { failures += 1 }
            try sink.write(file, result, model: served.name)
            progress.advance()
        }
        try sink.end()
        progress.finish()
        if failures > 0 {
            throw CommandFailure("\(failures) of \(files.count) pictures could not be answered; the results say why")
        }
    }

    private func predict(
        _ file: String,
        _ model: ServedModel,
        _ options: PredictionOptions,
        worker: Worker,
        imaging: ImagingPool,
        folder: AnnotatedFolder?
    ) async -> Result<JobAnswer, any Error> {
        do {
            let bytes = try await imaging.run { try PictureFiles.read(file) }
            let job = Job(
                id: file,
                model: model,
                picture: bytes,
                options: options,
                deadline: .now + .seconds(3600),
                keepsPicture: folder != nil
            )
            let answer = try await worker.run([job])[0].get()
            if let folder, let picture = answer.picture {
                try await imaging.run(for: model.name) { limit in
                    try folder.write(picture, answer.detections, answer.classifications, named: file, limit)
                }
            }
            return .success(answer.withoutPicture())
        } catch {
            return .failure(error)
        }
    }
}

extension PredictionOutput.Format: ExpressibleByArgument {}
