// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import Logging
public import NereidImaging
public import NereidInference
public import NereidJobs
import NereidVision

/// How a server listens and what it allows.
public struct ServerConfiguration: Sendable {
    /// Address to listen on. Default: this machine only.
    public var host = "127.0.0.1"
    /// Port to listen on; 0 takes a free one.
    public var port = 8080
    /// The model that answers requests which name none; `nil`: the first.
    public var defaultModel: String?
    /// Models that must answer, or the server is not ready, though they come from a watched folder or from workers.
    public var requiredModels: [String] = []
    /// Whether pictures are turned upright as their EXIF data says.
    public var appliesOrientation = true
    /// What one picture may cost.
    public var pictures = DecodingLimits()
    /// The most pixels of the masks of one picture, counted by their boxes. Default: 1,000,000,000.
    public var maxMaskPixels = VisionModel.defaultMaskPixels
    /// The largest request body, in bytes. Default: 256 MiB.
    public var maxRequestBytes = 256 << 20
    /// The most memory that uploads may hold together, in bytes. Default: 1 GiB.
    public var maxUploadMemory = 1 << 30
    /// The most connections with a request at one time. A few more are taken that are only told of the server's health.
    public var maxConnections = 1024
    /// The hosts that requests may be for; none: every one, but on a listener for this machine alone its own names only.
    var hosts = HostRules()
    /// Where jobs wait, shared with other machines; `nil`: within this process.
    public var queueAddress: RedisAddress?
    /// Whether this process runs models. A gateway does not.
    public var runsModels = true
    /// Lists that workers of the older server take pictures from, in the Redis of the queue.
    public var legacyLists: [LegacyList] = []
    /// The most that may wait in front of one model.
    public var queue = QueueLimits()
    /// The folder of the database of jobs as it was written, or `off`; `nil`: the user's own.
    public var jobsFolder: String?
    /// How jobs that outlive their request are kept.
    public var bulk = BulkLimits()
    /// Where webhooks may lead, and what their messages are signed with.
    public var webhooks = WebhookConfiguration()
    /// After so long without an event, a stream of events shows that it lives.
    var eventHeartbeat: Duration = .seconds(15)
    /// The longest time for a request, from its first byte to its answer. Default: 30 s.
    public var requestTimeout: Duration = .seconds(30)
    /// A connection with nothing to do is closed after this time. Default: 60 s.
    public var idleTimeout: Duration = .seconds(60)
    /// After the signal to stop, connections are still taken for this time, with `/health/ready` at 503, so that load
    /// balancers notice. Default: 1 s.
    public var shutdownDelay: Duration = .seconds(1)
    /// After the signal to stop, requests that still run are cut off after this time. Default: 60 s.
    public var shutdownTimeout: Duration = .seconds(60)
    /// The origin whose pages may ask from a browser; `nil`: this server's own page only.
    public var corsOrigin: String?
    /// Where the certificates are; `nil`: HTTP/1.1 without TLS.
    public var tls: TLSSource?

    /// The defaults.
    public init() {}

    /// Reads what the settings say; everything else keeps its default.
    ///
    /// - Throws: ``SettingsError`` for the first value that can't be used.
    public init(_ layers: SettingsLayers) throws(SettingsError) {
        host = layers.string(.host) ?? host
        port = try layers.integer(.port, in: 0...65535) ?? port
        defaultModel = layers.string(.defaultModel)
        requiredModels = try layers.modelNames(.require) ?? []
        appliesOrientation = try layers.boolean(.applyOrientation) ?? appliesOrientation
        pictures.encodedBytes = try layers.bytes(.maxPictureBytes) ?? pictures.encodedBytes
        pictures.side = try layers.integer(.maxPictureSide, in: 1...1_000_000) ?? pictures.side
        pictures.pixels = try layers.integer(.maxPicturePixels, in: 1...10_000_000_000) ?? pictures.pixels
        pictures.duration = try layers.seconds(.decodeTimeout) ?? pictures.duration
        maxMaskPixels = try layers.integer(.maxMaskPixels, in: 1...1_000_000_000_000) ?? maxMaskPixels
        maxRequestBytes = try layers.bytes(.maxRequestBytes) ?? maxRequestBytes
        maxUploadMemory = try layers.bytes(.maxUploadMemory) ?? maxUploadMemory
        maxConnections = try layers.integer(.maxConnections, in: 1...1_000_000) ?? maxConnections
        hosts.patterns = try layers.hostPatterns(.hosts) ?? []
        queueAddress = try layers.address(.queue)
        runsModels = try layers.boolean(.workers) ?? true
        legacyLists = try layers.legacyLists(.legacyQueue)
        queue.jobs = try layers.integer(.queueJobs, in: 0...1_000_000) ?? queue.jobs
        queue.bytes = try layers.bytes(.queueBytes) ?? queue.bytes
        jobsFolder = layers.string(.jobs)
        bulk.bytes = try layers.bytes(.jobBytes) ?? bulk.bytes
        bulk.life = try layers.seconds(.jobLife, upTo: 366 * 86_400) ?? bulk.life
        bulk.diskBytes = try layers.bytes(.jobDiskBytes) ?? bulk.diskBytes
        webhooks.hosts = try layers.hosts(.webhookHosts) ?? []
        webhooks.secret = layers.string(.webhookSecret).map(WebhookSecret.init)
        requestTimeout = try layers.seconds(.requestTimeout) ?? requestTimeout
        idleTimeout = try layers.seconds(.idleTimeout) ?? idleTimeout
        shutdownDelay = try layers.seconds(.shutdownDelay, orNone: true) ?? shutdownDelay
        shutdownTimeout = try layers.seconds(.shutdownTimeout) ?? shutdownTimeout
        corsOrigin = try layers.read(.corsOrigin, expected: "* or an origin such as https://lab.example.org") { text in
            text == "*" || text.contains("://") ? text : nil
        }
        tls = try layers.certificates()
        if !runsModels, queueAddress == nil { throw .gatewayWithoutQueue }
        if !legacyLists.isEmpty, queueAddress == nil { throw .listsWithoutQueue }
    }
}

/// What the models run on, as the settings say.
public struct EngineConfiguration: Sendable {
    /// Where the models are, as the user wrote it.
    public var models: [String] = []
    /// How sessions run where a model's own settings do not say.
    public var session = SessionOptions()
    /// ONNX Runtime's library; `nil`: searched for.
    public var onnxRuntime: String?
    /// The folder of graphs made from checkpoints; `off`: none is kept; `nil`: the user's own.
    public var cache: String?
    /// Threads that decode and resize; `nil`: the number of cores, at least 2.
    public var decodeThreads: Int?
    /// The most bytes that all decoded pictures hold at one time. Default: 1.5 GiB.
    public var decodeMemory = ImagingPool.defaultMemory
    /// What is logged.
    public var logLevel = Logger.Level.info

    /// The defaults.
    public init() {}

    /// Reads what the settings say; everything else keeps its default.
    ///
    /// - Throws: ``SettingsError`` for the first value that can't be used.
    public init(_ layers: SettingsLayers) throws(SettingsError) {
        models = layers.list(.models) ?? []
        session.device = try layers.read(.device, expected: "auto, cpu or cuda:N", Device.init) ?? .auto
        session.instances = try layers.integer(.instances, in: 1...256)
        session.threads = try layers.integer(.threads, in: 1...256)
        onnxRuntime = layers.string(.onnxRuntime)
        cache = layers.string(.cache)
        decodeThreads = try layers.integer(.decodeThreads, in: 1...256)
        decodeMemory = try layers.bytes(.decodeMemory) ?? decodeMemory
        logLevel =
            try layers.read(
                .logLevel,
                expected: "one of \(Logger.Level.allCases.map(\.rawValue).joined(separator: ", "))"
            ) {
                Logger.Level(rawValue: $0.lowercased())
            } ?? logLevel
    }
}
