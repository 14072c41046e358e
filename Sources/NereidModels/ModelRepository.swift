// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import Logging
public import NereidImaging
public import NereidInference
import NereidVision
public import ServiceLifecycle
import Synchronization

/// Finds, loads, swaps and unloads models.
///
/// It looks at its locations again and again: a file that has appeared is loaded, one that has changed is loaded beside the
/// old version and then takes its place, one that is gone is let go. A file counts as changed only when two looks in a row
/// find it the same, so that one still being copied is not read half.
public actor ModelRepository: Service {
    /// Turns a found file into a model that answers.
    public typealias Load = @Sendable (FoundModel) async throws -> ServedModel

    private let locations: [ModelLocation]
    private let interval: Duration
    private let logger: Logger
    private let load: Load
    /// The fingerprint of each model as it was last tried, whether it loaded or not.
    private var tried: [String: FoundModel] = [:]
    /// Files whose name was taken, as they have been told of.
    private var reported: Set<FoundModel> = []
    /// What looks have learnt of settings files.
    private var labels = LabelFiles()
    /// What the look before this one found.
    private var lastSeen: Set<FoundModel> = []
    private nonisolated let published = Mutex(ModelCatalogue())

    /// Makes a repository. Nothing is loaded before ``run()`` or ``refresh()``.
    ///
    /// - Parameters:
    ///   - locations: files and folders to serve.
    ///   - interval: the time between two looks at them.
    ///   - load: turns a file into a model.
    public init(
        locations: [ModelLocation],
        interval: Duration = .seconds(1),
        logger: Logger,
        load: @escaping Load
    ) {
        self.locations = locations
        self.interval = interval
        self.logger = logger
        self.load = load
    }

    /// Makes a repository that runs its models on an engine.
    public init(
        locations: [ModelLocation],
        interval: Duration = .seconds(1),
        engine: any Engine,
        session: SessionOptions = .init(),
        cache: GraphCache = .none,
        imaging: ImagingPool,
        logger: Logger
    ) {
        let checkpoints = CheckpointConversion(cache: cache, logger: logger)
        self.init(locations: locations, interval: interval, logger: logger) { found in
            try await ServedModel.load(
                found,
                on: engine,
                session: session,
                checkpoints: checkpoints,
                imaging: imaging,
                logger: logger
            )
        }
    }

    /// The models as they stand now.
    public nonisolated var catalogue: ModelCatalogue { published.withLock { $0 } }

    /// Looks after the locations until the service is told to stop.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            await self.refresh(isFirst: true)
            while !Task.isCancelled {
                try? await Task.sleep(for: self.interval)
                if Task.isCancelled { break }
                await self.refresh()
            }
        }
        // The sessions end with the last request that holds them.
        published.withLock { $0 = ModelCatalogue() }
    }

    /// One look at the locations: loads what is new or changed and settled, lets go of what is gone.
    ///
    /// - Parameter isFirst: the first look takes files as they are, without waiting for a second one to confirm them.
    public func refresh(isFirst: Bool = false) async {
        let scan = ModelScan(locations, labels: &labels)
        let seen = Set(scan.models)
        let settled = isFirst ? seen : seen.intersection(lastSeen)
        lastSeen = seen
        let names = scan.models.map(\.name)
        for name in tried.keys where !names.contains(name) { unload(name) }
        let due = scan.models.filter { settled.contains($0) && tried[$0.name] != $0 }
        published.withLock { catalogue in
            for found in due { catalogue.update(found.name, path: found.path) { $0.isLoading = true } }
            catalogue.order(by: names)
            catalogue.named = scan.named
            catalogue.leftOut = scan.conflicts.map { LeftOutFile(path: $0.found.path, reason: "\($0.error)") }
        }
        for found in due { await tryLoading(found) }
        for conflict in scan.conflicts where reported.insert(conflict.found).inserted {
            logger.error("\(conflict.error)")
        }
        published.withLock { $0.isComplete = true }
    }

    private func tryLoading(_ found: FoundModel) async {
        tried[found.name] = found
        do {
            if let refusal = found.refusal { throw ModelsError.unsupportedFile(path: found.path, reason: refusal) }
            let model = try await load(found)
            let clash = model.aliases.first { alias in
                catalogue.status(named: alias).map { $0.name != found.name } ?? false
            }
            if let clash {
                logger.warning(
                    "alias is taken by another model",
                    metadata: ["model": "\(found.name)", "alias": "\(clash)"]
                )
            }
            published.withLock { catalogue in
                catalogue.update(found.name, path: found.path) { status in
                    status.model = model
                    status.isLoading = false
                    status.failure = clash.map { "its alias ‘\($0)’ is already the name of another model" }
                }
            }
        } catch is CancellationError {
            // The server stops while it still loads.
            tried[found.name] = nil
        } catch {
            let answers = catalogue.status(named: found.name)?.model != nil
            logger.error(
                "model can't be loaded",
                metadata: [
                    "model": "\(found.name)", "file": "\(found.path)", "reason": "\(error)",
                    "answers": answers ? "earlier version" : "none",
                ]
            )
            published.withLock { catalogue in
                catalogue.update(found.name, path: found.path) { status in
                    status.isLoading = false
                    status.failure = "\(error)"
                }
            }
        }
    }

    private func unload(_ name: String) {
        tried[name] = nil
        published.withLock { $0.remove(name) }
        logger.info("model removed", metadata: ["model": "\(name)"])
    }
}

extension ServedModel {
    /// Loads a found file with the settings beside it.
    ///
    /// - Parameters:
    ///   - session: how sessions run where the model's own settings do not say.
    ///   - checkpoints: makes the graph where the file is a checkpoint.
    /// - Throws: ``ModelsError/settings(path:reason:)``, `CheckpointError`, `ConversionError`, `Detectron2Error`, `VisionError`, or the
    ///   engine's error.
    public static func load(
        _ found: FoundModel,
        on engine: any Engine,
        session: SessionOptions,
        checkpoints: CheckpointConversion,
        imaging: ImagingPool,
        logger: Logger
    ) async throws -> ServedModel {
        var settings = try found.settings()
        if settings.vision.session.device == .auto { settings.vision.session.device = session.device }
        settings.vision.session.instances = settings.vision.session.instances ?? session.instances
        settings.vision.session.threads = settings.vision.session.threads ?? session.threads
        let configuration = settings.vision
        let vision = try await found.explaining(on: checkpoints) {
            let graphs = try await found.graphs(from: checkpoints)
            return try await VisionModel.load(
                graphs.network,
                stages: graphs.stages,
                on: engine,
                configuration: configuration,
                imaging: imaging,
                logger: logger
            )
        }
        if settings.vision.session.device == .auto, vision.session.device == .cpu,
            engine.devices.contains(where: { $0 != .cpu })
        {
            logger.warning(
                "model runs on the processor, since no session can be made on the GPU",
                metadata: ["model": "\(found.name)"]
            )
        }
        return ServedModel(name: found.name, aliases: settings.aliases, path: found.path, vision: vision)
    }

    /// Loads the one model that stands at a location, for commands that need no repository.
    ///
    /// - Throws: ``ModelsError/unsupportedFile(path:reason:)`` when there is none or more than one; what
    ///   ``load(_:on:session:checkpoints:imaging:logger:)`` throws.
    public static func load(
        only location: ModelLocation,
        on engine: any Engine,
        session: SessionOptions = .init(),
        checkpoints: CheckpointConversion,
        imaging: ImagingPool,
        logger: Logger
    ) async throws -> ServedModel {
        let found = try ModelLocation.onlyModel(at: location)
        return try await load(
            found,
            on: engine,
            session: session,
            checkpoints: checkpoints,
            imaging: imaging,
            logger: logger
        )
    }
}
