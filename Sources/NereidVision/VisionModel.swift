// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import Logging
public import NereidImaging
public import NereidInference

/// A model that answers pictures: with the objects in them, or with what the whole shows.
///
/// It owns a session of an engine and knows the way there and back: letterboxing, the head, suppression, and the picture's
/// own coordinates. It may be asked from any number of tasks at once; the session bounds how many run together.
public final class VisionModel: Sendable {
    /// What it is called in logs and errors.
    public let name: String
    /// What it does.
    public let task: VisionTask
    /// What it takes.
    public let input: ModelInput
    /// Which head reads its outputs.
    public let headKind: HeadKind
    /// Why that head, in words.
    public let headReason: String
    /// Its classes.
    public let labels: Labels
    /// What could not be read of its file, such as the names of its classes, in sentences; empty when all is well.
    public let warnings: [String]
    /// The thresholds used when a request does not say.
    public let defaults: PredictionDefaults
    /// The session that runs it.
    public let session: any Session
    /// The most pictures in one run of the engine.
    public let maxBatch: Int
    /// Whether pictures are to be decoded as they are stored, without being turned upright.
    public let ignoresOrientation: Bool
    let roundsBoxes: Bool
    let head: any Head
    /// What follows the first graph of a network in stages.
    let stages: RegionStages?
    let imaging: ImagingPool

    private init(
        name: String,
        task: VisionTask,
        input: ModelInput,
        recognised: HeadRecognition.Recognised,
        labels: Labels,
        warnings: [String],
        configuration: VisionModelConfiguration,
        session: any Session,
        stages: RegionStages?,
        imaging: ImagingPool
    ) {
        self.name = name
        self.task = task
        self.ignoresOrientation = configuration.ignoresOrientation
        self.roundsBoxes = configuration.roundsBoxes
        self.input = input
        self.headKind = recognised.kind
        self.headReason = recognised.reason
        self.head = recognised.head
        self.labels = labels
        self.warnings = warnings
        var own = recognised.head.defaults
        // All that is found at each of several scales may be something.
        own.maxDetections *= max(input.scales.count, 1)
        self.defaults = own.overlaid(by: configuration.defaults)
        self.session = session
        self.stages = stages
        self.imaging = imaging
        if let fixed = input.fixedBatch {
            maxBatch = fixed
        } else if let asked = configuration.maxBatch {
            maxBatch = asked
        } else if case .cuda = session.device {
            maxBatch = 8
        } else {
            maxBatch = 1
        }
    }

    /// Loads a graph, runs it with a black and a textured picture, and recognises its head by what the file says and what
    /// comes out.
    ///
    /// The runs are the warm-up too: when this returns, the model answers at its usual speed.
    ///
    /// - Parameters:
    ///   - graph: the ONNX graph; of a network in stages, the first one.
    ///   - stages: the graphs of the later stages, by the names that the first one's metadata gives them (`nereid.stages`).
    ///     Default: none.
    ///   - engine: what runs it.
    ///   - configuration: what is known beyond the file.
    ///   - imaging: the threads on which pictures are fitted into the input.
    ///   - logger: told which head was taken and why.
    /// - Throws: ``VisionError`` when the graph's outputs are none that Nereid knows; the engine's error when it can't be
    ///   loaded or run.
    public static func load(
        _ graph: GraphSource,
        stages: [String: GraphSource] = [:],
        on engine: any Engine,
        configuration: VisionModelConfiguration = .init(),
        imaging: ImagingPool,
        logger: Logger
    ) async throws -> VisionModel {
        let session = try await engine.makeSession(graph, options: configuration.session)
        do {
            return try await recognise(
                session,
                name: graph.name,
                stages: StageSources(graphs: stages, engine: engine, options: configuration.session),
                configuration: configuration,
                imaging: imaging,
                logger: logger
            )
        } catch {
            await session.shutDown()
            throw error
        }
    }

    private static func recognise(
        _ session: any Session,
        name: String,
        stages: StageSources,
        configuration: VisionModelConfiguration,
        imaging: ImagingPool,
        logger: Logger
    ) async throws -> VisionModel {
        let check = try MetadataCheck(session.graph.metadata, model: name)
        if configuration.head == nil,
            let refusal = ForeignLayout.refusal(HeadEvidence(declaredBy: session.graph), model: name)
        {
            throw refusal
        }
        let raw = try RawInput(graph: session.graph, model: name)
        let size = try raw.nominalSize(configuration, model: name)
        let metadata = session.graph.metadata
        let classNames = ClassNames(given: configuration.labels, metadata: metadata)
        let runs = try await LoadingRuns.run(
            session,
            input: raw,
            size: size,
            configuration: configuration,
            fileLabelCount: classNames.count,
            imaging: imaging,
            model: name
        )
        let (kind, head) = (runs.recognised.kind, runs.recognised.head)
        let task = configuration.task ?? head.task
        guard task == head.task || (task == .detect && head.task != .classify) else {
            throw VisionError.taskDoesNotFit(model: name, task: task.rawValue, does: head.task.rawValue)
        }
        if let given = configuration.labels, head.classCount > 0, given.count != head.classCount {
            guard head.mayHaveUnlabelledClasses, given.count < head.classCount else {
                throw VisionError.labelCount(model: name, labels: given.count, classes: head.classCount)
            }
            logger.warning(
                "the model has more classes than labels",
                metadata: ["model": "\(name)", "classes": "\(head.classCount)", "labels": "\(given.count)"]
            )
        }
        let (labels, warning) = classNames.labels(classes: head.classCount)
        let warnings = check.warnings + (warning.map { [$0] } ?? [])
        for warning in warnings { logger.warning("\(warning)", metadata: ["model": "\(name)"]) }
        let input = try raw.completed(for: kind, configuration: configuration, model: name)
        let regions = try await RegionStages(
            after: head,
            of: session.graph,
            outputs: runs.outputs,
            input: size,
            task: task,
            sources: stages,
            model: name
        )
        logger.info(
            "model loaded",
            metadata: [
                "model": "\(name)", "task": "\(task.rawValue)", "head": "\(kind.rawValue)",
                "because": "\(runs.recognised.reason)",
                "input": "\(input.size) \(input.fit.rawValue)", "classes": "\(labels.count)",
                "device": "\(session.device)", "instances": "\(session.instances)", "threads": "\(session.threads)",
            ]
        )
        return VisionModel(
            name: name,
            task: task,
            input: input,
            recognised: runs.recognised,
            labels: labels.renamed(configuration.rename),
            warnings: warnings,
            configuration: configuration,
            session: session,
            stages: regions,
            imaging: imaging
        )
    }

    /// Ends the session's threads once what runs on them is done. The model can't be used afterwards.
    public func shutDown() async {
        await session.shutDown()
        await stages?.shutDown()
    }

    /// The numbers of the classes that a request names, as ``Labels/classIDs(named:model:)`` reads them.
    ///
    /// - Throws: ``VisionError/unknownClass(model:name:classes:)``.
    public func classIDs(named texts: [String]) throws(VisionError) -> Set<Int> {
        try labels.classIDs(named: texts, model: name)
    }
}
