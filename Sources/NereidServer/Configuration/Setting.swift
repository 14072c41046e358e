// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Every setting of the server, by the name it has in a settings file.
///
/// The same setting is a flag (`--max-picture-bytes`), an environment variable (`NEREID_MAX_PICTURE_BYTES`) and a key of
/// the settings file (`max_picture_bytes`); a flag goes before the environment, the environment before the file.
public enum Setting: String, Sendable, CaseIterable {
    case host
    case port
    case hosts
    case models
    case defaultModel = "default_model"
    case require
    case device
    case instances
    case threads
    case onnxRuntime = "onnxruntime"
    case cache
    case decodeThreads = "decode_threads"
    case decodeMemory = "decode_memory"
    case applyOrientation = "apply_orientation"
    case maxPictureBytes = "max_picture_bytes"
    case maxPictureSide = "max_picture_side"
    case maxPicturePixels = "max_picture_pixels"
    case decodeTimeout = "decode_timeout"
    case maxMaskPixels = "max_mask_pixels"
    case maxRequestBytes = "max_request_bytes"
    case maxUploadMemory = "max_upload_memory"
    case maxConnections = "max_connections"
    case queue
    case workers
    case legacyQueue = "legacy_queue"
    case queueJobs = "queue_jobs"
    case queueBytes = "queue_bytes"
    case jobs
    case jobBytes = "job_bytes"
    case jobLife = "job_life"
    case jobDiskBytes = "job_disk_bytes"
    case webhookHosts = "webhook_hosts"
    case webhookSecret = "webhook_secret"
    case requestTimeout = "request_timeout"
    case idleTimeout = "idle_timeout"
    case shutdownDelay = "shutdown_delay"
    case shutdownTimeout = "shutdown_timeout"
    case corsOrigin = "cors_origin"
    case tlsCertificate = "tls_certificate"
    case tlsPrivateKey = "tls_private_key"
    case tlsConfig = "tls_config"
    case logLevel = "log_level"

    /// What it is, its unit and its default, for `--help` and the documentation.
    public var meaning: String {
        switch self {
        case .host: "address to listen on; 0.0.0.0 lets other machines in (127.0.0.1)"
        case .port: "port to listen on; 0 takes a free one (8080; also SERVER_PORT)"
        case .hosts:
            "hosts that requests may be for, separated by commas: a name, *.NAME, an address, or * for all (all; on a "
                + "loopback address: this machine's own)"
        case .models: "models to serve, separated by commas: PATH or NAME=PATH (demo, the bundled one)"
        case .defaultModel: "model that answers requests which name none (the first)"
        case .require:
            "model without which /health/ready says 503, though it comes from a watched folder or from workers; may be "
                + "repeated (those named on the command line)"
        case .device: "where models run: auto, cpu or cuda:N (auto)"
        case .instances: "runs of one model at the same time (measured default)"
        case .threads: "threads of one run (measured default)"
        case .onnxRuntime: "ONNX Runtime's library: a file or a folder (searched for)"
        case .cache: "folder of the graphs made from checkpoints, or off (the user's cache folder)"
        case .decodeThreads: "threads that decode and resize pictures (the number of cores, at least 2)"
        case .decodeMemory: "most memory of all decoded pictures at one time; others wait (1536MiB)"
        case .applyOrientation: "turn pictures upright as their EXIF data says (true)"
        case .maxPictureBytes: "largest picture as uploaded (64MiB)"
        case .maxPictureSide: "longest side of a picture in pixels (32768)"
        case .maxPicturePixels: "most pixels of a picture (100000000)"
        case .decodeTimeout: "longest time for decoding a picture, in seconds (10)"
        case .maxMaskPixels: "most pixels of the masks of one picture, counted by their boxes (1000000000)"
        case .maxRequestBytes: "largest request body, which may hold several pictures (256MiB)"
        case .maxUploadMemory: "most memory that uploads may hold at one time (1GiB)"
        case .maxConnections: "most connections at one time; beyond, only health is answered (1024)"
        case .queue:
            "where jobs wait: redis://HOST:6379/0 or rediss://…, shared with other machines (within this process)"
        case .workers: "run models in this process too, when there is a queue; --no-workers makes a gateway (true)"
        case .legacyQueue:
            "lists in the queue's Redis that workers of the older server take pictures from: LIST or MODEL=LIST (none)"
        case .queueJobs: "most pictures that wait for one model (64)"
        case .queueBytes: "most bytes of pictures that wait for one model (256MiB)"
        case .jobs: "folder of the database of jobs, or off (the user's state folder)"
        case .jobBytes: "most bytes of pictures of jobs that wait (8GiB)"
        case .jobDiskBytes:
            "most bytes that pictures and results of jobs take in the database (no limit but the disk)"
        case .jobLife: "seconds that finished jobs and their results are kept (86400)"
        case .webhookHosts:
            "hosts that webhooks may ask though they are not on the open Internet, separated by commas (none); webhooks "
                + "need a secret, which is no flag, as a list of processes shows those: NEREID_WEBHOOK_SECRET"
        case .webhookSecret:
            "what messages to webhooks are signed with; in the environment or the file (none, no webhooks)"
        case .requestTimeout: "longest time for a request, in seconds (30)"
        case .idleTimeout: "a connection that waits for its client is closed after this many seconds (60)"
        case .shutdownDelay: "connections are taken for this many seconds more after the signal to stop (1)"
        case .shutdownTimeout: "requests still running this many seconds after the signal to stop are cut off (60)"
        case .corsOrigin: "origin whose pages may ask from a browser: * or https://HOST (none)"
        case .tlsCertificate: "PEM file with the certificate and its chain, for https and HTTP/2 (none: http)"
        case .tlsPrivateKey: "PEM file with the certificate's private key (none)"
        case .tlsConfig: "folder with a certificates.toml instead, as traefik reads it (none)"
        case .logLevel: "trace, debug, info, notice, warning, error or critical (info)"
        }
    }

    /// The environment variables that set it, the first that is there counts.
    public var environmentNames: [String] {
        let own = "NEREID_\(rawValue.uppercased())"
        return self == .port ? [own, "SERVER_PORT"] : [own]
    }

    /// The flag that sets it.
    public var flag: String { "--" + rawValue.replacing("_", with: "-") }
}
