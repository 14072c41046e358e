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

            In folders, files that are named like pictures are taken. Others are counted and named at the end; hidden files, such \
            as ._a.png of macOS, are passed over.

            Ctrl-C (SIGINT) and SIGTERM end the command with status 130 and 143. The results that are there by then are whole, \
            also as JSON. --resume goes on later: pictures that have a result in the file of --output, also an error, are not \
            done again. Name them the same way as before.

            Each --classes is first taken as the name of one class, with its commas. If no class has that name, it is a list \
            separated by commas, and each item is a name or, if no class has that name, a number.
            """
    )

    @Argument(help: "The model: PATH or NAME=PATH.")
    var model: String

    @Argument(help: "Pictures, and folders to be searched for pictures.")
    var pictures: [String]

    @Option(help: "json, jsonl (a line of JSON for each picture) or csv.")
    var format: PredictionOutput.Format = .json

    @Option(name: [.customShort("o"), .long], help: "File for the results (standard output).")
    var output: String?

    @Flag(help: "Go on after the results that the file of --output has; jsonl and csv.")
    var resume = false

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

    @Option(help: "Only these classes: names or numbers, separated by commas; may be given several times (all).")
    var classes: [String] = []

    @OptionGroup(title: "Engine")
    var engine: EngineFlags

    func validate() throws {
        for (name, value) in [("confidence", confidence), ("iou", iou)] {
            guard value.map({ (0...1).contains($0) }) ?? true else {
                throw ValidationError("--\(name) must be a number from 0 to 1")
            }
        }
        guard !resume || output != nil else {
            throw ValidationError("--resume needs --output FILE, the file of the run that it goes on with")
        }
        guard !resume || format != .json else {
            throw ValidationError(
                "--resume goes on with JSON lines and CSV, not with JSON, which is one value: add --format jsonl or csv"
            )
        }
        for (name, value) in [("max-detections", maxDetections), ("top-k", topK)] {
            guard value.map({ $0 >= 1 }) ?? true else { throw ValidationError("--\(name) must be 1 or more") }
        }
    }

    func run() async throws {
        let configuration = try engine.configuration
        let found = try PictureFiles.find(pictures)
        let runtime = try Runtime(configuration)
        let served = try await runtime.load(model, session: configuration.session)
        let options = PredictionOptions(
            confidence: confidence,
            iou: iou,
            maxDetections: maxDetections,
            classes: classes.isEmpty ? nil : try served.vision.classIDs(named: classes),
            topClasses: topK
        )
        let earlier = try earlierResults(of: found.files, model: served.name)
        let files = found.files.filter { !(earlier?.contains($0) ?? false) }
        let folder = try annotate.map { try AnnotatedFolder($0, keepsFiles: resume) }
        let sink = try PredictionOutput(format: format, path: output, after: earlier)
        let progress = ProgressBar(total: files.count)
        let worker = Worker(imaging: runtime.imaging)
        let signals = await StopSignals()
        var (results, failures) = (0, 0)
        try sink.begin()
        try await files.forEachInOrder(
            atMost: served.vision.session.instances + 1,
            until: { await signals.come() }
        ) { file in
            await predict(file, served, options, worker: worker, imaging: runtime.imaging, folder: folder)
        } _: { file, result in
            if case .failure = result {
                // Work that the signal ended has no result.
                if signals.exitStatus != nil { return }
                failures += 1
            }
            results += 1
            try sink.write(file, result, model: served.name)
            progress.advance()
        }
        try sink.end()
        progress.finish()
        if let note = found.note { standardError(note) }
        if let status = signals.exitStatus {
            standardError("interrupted: \(results) of \(files.count) pictures have results")
            throw ExitCode(status)
        }
        if failures > 0 {
            throw CommandFailure("\(failures) of \(files.count) pictures could not be answered; the results say why")
        }
    }

    /// What the file of --output has already, with --resume.
    private func earlierResults(of pictures: [String], model: String) throws -> EarlierResults? {
        guard resume, let output else { return nil }
        let earlier = try EarlierResults(in: output, format: format, pictures: pictures, model: model)
        let count = pictures.count { earlier.contains($0) }
        standardError("resuming: \(count) of \(pictures.count) pictures have results in \(output)")
        return earlier
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
