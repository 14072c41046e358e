// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Logging
import NereidImaging
import NereidInference
import NereidJobs
import TestSupport
import Testing

@testable import NereidServer

@Suite("Settings")
struct SettingsTests {
    static func server(
        flags: [Setting: String] = [:],
        environment: [String: String] = [:],
        file: String? = nil
    ) throws -> ServerConfiguration {
        try ServerConfiguration(SettingsLayers(flags: flags, environment: environment, file: file))
    }

    @Test("keep their defaults when nothing is said")
    func defaults() throws {
        let server = try Self.server(environment: ["PATH": "/bin", "NEREIDX": "not ours"])
        #expect((server.host, server.port, server.defaultModel) == ("127.0.0.1", 8080, nil))
        #expect(server.queue == QueueLimits(jobs: 64, bytes: 256 << 20))
        #expect(server.pictures == DecodingLimits())
        #expect((server.requestTimeout, server.shutdownDelay) == (.seconds(30), .seconds(1)))
        #expect((server.jobsFolder, server.bulk) == (nil, BulkLimits(bytes: 8 << 30, life: .seconds(86_400))))
        #expect((server.webhooks.hosts, server.webhooks.secret == nil) == ([], true))
        let engine = try EngineConfiguration(SettingsLayers())
        #expect((engine.models, engine.session, engine.logLevel) == ([], SessionOptions(), .info))
    }

    @Test("on the command line go before the environment, and that before the file")
    func precedence() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("port: 1\nhost: file\nqueue_jobs: 3\ndefault_model: file", to: "nereid.yaml")
        let server = try Self.server(
            flags: [.port: "3"],
            environment: ["NEREID_PORT": "2", "NEREID_HOST": "environment", "NEREID_DEFAULT_MODEL": ""],
            file: file
        )
        #expect((server.port, server.host, server.queue.jobs) == (3, "environment", 3))
        // Set to nothing is not set.
        #expect(server.defaultModel == "file")
    }

    @Test("take the port that platforms hand over, unless Nereid's own variable is there")
    func serverPort() throws {
        #expect(try Self.server(environment: ["SERVER_PORT": "9000"]).port == 9000)
        #expect(try Self.server(environment: ["SERVER_PORT": "9000", "NEREID_PORT": "9001"]).port == 9001)
        #expect(throws: SettingsError.self) { try Self.server(environment: ["SERVER_PORT": "http"]) }
    }

    @Test("are all read, by every name they have", arguments: [0, 1, 2])
    func everySetting(layer: Int) throws {
        let values: [Setting: String] = [
            .host: "0.0.0.0", .port: "0", .hosts: "Reef.example, *.Lab.example,10.0.0.7",
            .models: "a.onnx, reef=b.onnx", .defaultModel: "reef",
            .require: "reef, sea floor", .device: "cuda:1",
            .instances: "2", .threads: "3", .onnxRuntime: "/opt/ort", .cache: "/graphs", .decodeThreads: "5",
            .decodeMemory: "6GiB", .maxMaskPixels: "7000",
            .applyOrientation: "no",
            .maxPictureBytes: "1MiB", .maxPictureSide: "1000", .maxPicturePixels: "2000", .decodeTimeout: "0.5",
            .maxRequestBytes: "2MiB", .maxUploadMemory: "3MiB", .maxConnections: "7",
            .queue: "redis://:secret@[::1]:7000/3", .workers: "off", .legacyQueue: "reef=old_list,deep",
            .queueJobs: "0",
            .queueBytes: "4MiB", .jobs: "/jobs", .jobBytes: "5MiB", .jobLife: "604800", .jobDiskBytes: "6MiB",
            .webhookHosts: "Hooks.Lab., 10.0.0.7,[::1]", .webhookSecret: "pearls, before: swine", .requestTimeout: "8",
            .idleTimeout: "9", .shutdownDelay: "0",
            .shutdownTimeout: "10", .corsOrigin: "https://lab.example.org", .logLevel: "DEBUG",
            .tlsCertificate: "/certs/a.pem", .tlsPrivateKey: "/certs/a.key",
        ]
        // The folder excludes the two files, and is tested with them.
        #expect(Set(values.keys).union([.tlsConfig]) == Set(Setting.allCases))
        let folder = try TemporaryFolder()
        let layers: SettingsLayers
        switch layer {
        case 0: layers = try SettingsLayers(flags: values)
        case 1:
            let environment = values.map { ($0.environmentNames[0], $1) }
            layers = try SettingsLayers(environment: Dictionary(uniqueKeysWithValues: environment))
        default:
            let yaml = values.map { "\($0.rawValue): '\($1)'" }.joined(separator: "\n")
            layers = try SettingsLayers(file: folder.write(yaml, to: "nereid.yaml"))
        }
        let server = try ServerConfiguration(layers)
        #expect((server.host, server.port, server.defaultModel) == ("0.0.0.0", 0, "reef"))
        #expect(server.requiredModels == ["reef", "sea floor"])
        #expect(!server.appliesOrientation)
        #expect(
            server.pictures
                == DecodingLimits(encodedBytes: 1 << 20, side: 1000, pixels: 2000, duration: .milliseconds(500))
        )
        #expect((server.maxRequestBytes, server.maxUploadMemory, server.maxConnections) == (2 << 20, 3 << 20, 7))
        #expect(server.queue == QueueLimits(jobs: 0, bytes: 4 << 20))
        #expect(server.queueAddress == RedisAddress(host: "::1", port: 7000, password: "secret", database: 3))
        #expect(!server.runsModels)
        #expect(server.legacyLists == [LegacyList("old_list", model: "reef"), LegacyList("deep")])
        #expect(server.jobsFolder == "/jobs")
        #expect(server.bulk == BulkLimits(bytes: 5 << 20, life: .seconds(7 * 86_400), diskBytes: 6 << 20))
        #expect(server.webhooks.hosts.map(\.description) == ["hooks.lab", "10.0.0.7", "[::1]"])
        #expect(server.webhooks.secret?.text == "pearls, before: swine")
        let hosts = ["reef.example", "*.lab.example", "10.0.0.7"].compactMap { HostRules.Pattern($0) }
        #expect(server.hosts.patterns == hosts)
        #expect((server.requestTimeout, server.idleTimeout) == (.seconds(8), .seconds(9)))
        #expect((server.shutdownDelay, server.shutdownTimeout) == (.zero, .seconds(10)))
        #expect(server.corsOrigin == "https://lab.example.org")
        #expect(server.tls == .files(certificate: "/certs/a.pem", privateKey: "/certs/a.key"))
        let engine = try EngineConfiguration(layers)
        #expect(engine.models == ["a.onnx", "reef=b.onnx"])
        #expect(engine.session == SessionOptions(device: .cuda(1), instances: 2, threads: 3))
        #expect((engine.onnxRuntime, engine.cache, engine.decodeThreads) == ("/opt/ort", "/graphs", 5))
        #expect((engine.decodeMemory, server.maxMaskPixels) == (6 << 30, 7000))
        #expect(engine.logLevel == .debug)
    }

    @Test("may be lists in a file")
    func lists() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("models:\n  - a.onnx\n  - reef=b.onnx\nport: 80", to: "nereid.yaml")
        #expect(try EngineConfiguration(SettingsLayers(file: file)).models == ["a.onnx", "reef=b.onnx"])
        #expect(try Self.server(file: file).port == 80)
        #expect(try Self.server(file: folder.write("", to: "empty.yaml")).port == 8080)
    }

    static let sizes: [(String, Int?)] = [
        ("1", 1), ("1048576", 1 << 20), ("64MiB", 64 << 20), ("64 MiB", 64 << 20), ("2g", 2 << 30), ("3K", 3 << 10),
        ("7b", 7), ("1gib", 1 << 30), ("8589934592", 8 << 30), ("0", nil), ("-1", nil), ("", nil), ("MiB", nil),
        ("1.5MiB", nil), ("1TiB", nil), ("9999999999GiB", nil), ("½MiB", nil), ("1 0", nil),
        ("99999999999999999999", nil),
    ]

    @Test("count bytes with and without units", arguments: sizes)
    func bytes(text: String, expected: Int?) throws {
        let layers = try SettingsLayers(flags: [.queueBytes: text])
        #expect((try? layers.bytes(.queueBytes)) == expected)
    }

    private static let hostWords =
        "hosts without a scheme or a port, separated by commas, such as hooks.lab.example.org, 10.0.0.7"

    private static let servedWords =
        "hosts without a scheme or a port, separated by commas, such as nereid.example.org, *.lab.example.org"

    static let refusals: [(Setting, value: String, expected: String)] = [
        (.port, "65536", "a whole number from 0 to 65535"),
        (.port, "80a", "a whole number from 0 to 65535"),
        (.applyOrientation, "perhaps", "true or false"),
        (.maxPictureBytes, "0", "a number of bytes above zero such as 1048576, 64MiB or 1GiB"),
        (.maxPictureSide, "0", "a whole number from 1 to 1000000"),
        (.maxPicturePixels, "-3", "a whole number from 1 to 10000000000"),
        (.decodeTimeout, "0", "a number of seconds above 0 and up to 86400"),
        (.maxRequestBytes, "much", "a number of bytes above zero such as 1048576, 64MiB or 1GiB"),
        (.maxConnections, "0", "a whole number from 1 to 1000000"),
        (.queueJobs, "-1", "a whole number from 0 to 1000000"),
        (.jobBytes, "none", "a number of bytes above zero such as 1048576, 64MiB or 1GiB"),
        (.jobLife, "0", "a number of seconds above 0 and up to 31622400"),
        (.webhookHosts, "https://hooks.lab", hostWords), (.webhookHosts, "hooks.lab:80", hostWords),
        (.webhookHosts, "a.lab,10.0.0.0/8", hostWords), (.webhookHosts, "2130706433", hostWords),
        (.hosts, "http://reef.example", servedWords), (.hosts, "reef.example:80", servedWords),
        (.hosts, "*.10.0.0.7", servedWords), (.hosts, "a.example,*b", servedWords),
        (.requestTimeout, "nan", "a number of seconds above 0 and up to 86400"),
        (.idleTimeout, "1e9", "a number of seconds above 0 and up to 86400"),
        (.shutdownDelay, "-1", "a number of seconds from 0 to 86400"),
        (.corsOrigin, "lab", "* or an origin such as https://lab.example.org"),
        (.require, "a/b", "names of models, separated by commas"),
        (.device, "tpu", "auto, cpu or cuda:N"),
        (.instances, "0", "a whole number from 1 to 256"),
        (.logLevel, "loud", "one of trace, debug, info, notice, warning, error, critical"),
    ]

    @Test("that can't be used are named by where they were given", arguments: refusals)
    func refused(setting: Setting, value: String, expected: String) throws {
        func error(_ layers: SettingsLayers) -> SettingsError? {
            #expect(throws: SettingsError.self) {
                _ = try ServerConfiguration(layers)
                _ = try EngineConfiguration(layers)
            }
        }
        let name = setting.environmentNames[0]
        let folder = try TemporaryFolder()
        let path = try folder.write("\(setting.rawValue): '\(value)'", to: "nereid.yaml")
        let places: [(SettingsLayers, String)] = [
            (try SettingsLayers(flags: [setting: value]), setting.flag),
            (try SettingsLayers(environment: [name: value]), name),
            (try SettingsLayers(file: path), "‘\(setting.rawValue)’ in \(path)"),
        ]
        for (layers, source) in places {
            #expect(error(layers)?.description == "\(source) is ‘\(value)’, but must be \(expected)")
        }
    }

    @Test("of the queue that can't be used say why, without a password")
    func queue() throws {
        func reason(_ flags: [Setting: String]) throws -> String? {
            #expect(throws: SettingsError.self) { try Self.server(flags: flags) }?.description
        }
        #expect(
            try reason([.workers: "false"])
                == "a process without workers needs the queue of workers elsewhere: --queue redis://HOST:6379/0 (NEREID_QUEUE)"
        )
        let address = try #require(try reason([.queue: "http://:secret@reef"]))
        #expect(address.hasPrefix("--queue can't be used: a Redis URL begins with redis://"))
        #expect(!address.contains("secret"))
        let lists = try #require(try reason([.legacyQueue: "old"]))
        #expect(lists.contains("--queue redis://HOST:6379/0"))
        let twice = try #require(try reason([.queue: "redis://reef", .legacyQueue: "reef=a,reef=b"]))
        #expect(twice.hasPrefix("--legacy-queue can't be used: two lists are to serve the model ‘reef’"))
    }

    @Test("that do not exist are refused, in the environment and in a file")
    func unknown() throws {
        let folder = try TemporaryFolder()
        let inEnvironment = #expect(throws: SettingsError.self) {
            try SettingsLayers(environment: ["NEREID_PROT": "80"])
        }
        let text = try #require(inEnvironment?.description)
        #expect(text.hasPrefix("‘NEREID_PROT’ in the environment is not a setting. Settings: NEREID_HOST, NEREID_PORT"))
        let path = try folder.write("prot: 80", to: "nereid.yaml")
        let inFile = #expect(throws: SettingsError.self) { try SettingsLayers(file: path) }
        #expect(inFile?.description.hasPrefix("‘prot’ in \(path) is not a setting. Settings: host, port, ") == true)
        // Read elsewhere.
        for name in ["NEREID_SHARED", "NEREID_CONFIG"] {
            #expect(throws: Never.self) { try SettingsLayers(environment: [name: "x"]) }
        }
    }

    static let files: [(yaml: String, reason: String)] = [
        ("- port", "it must be a mapping of settings to values"),
        ("port: [1", "can't be used"),
        ("port: {a: 1}", "‘port’ in"),
    ]

    @Test("in a file that can't be read are refused with the reason", arguments: files)
    func unreadable(yaml: String, reason: String) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(yaml, to: "nereid.yaml")
        let error = #expect(throws: SettingsError.self) { try SettingsLayers(file: path) }
        #expect(error?.description.contains(reason) == true)
        #expect(error?.description.contains(path) == true)
        #expect(
            throws: SettingsError.unreadable(
                path: "/nowhere.yaml",
                reason: "it is not there, or not UTF-8 or UTF-16 text of at most 1 MiB"
            )
        ) { try SettingsLayers(file: "/nowhere.yaml") }
    }

    @Test("in a file may be saved in UTF-8 or UTF-16, with a byte order mark or without")
    func encodings() throws {
        let folder = try TemporaryFolder()
        for bytes in "port: 4711\n".encodings {
            let path = try folder.write(bytes: bytes, to: "nereid.yaml")
            #expect(try SettingsLayers(file: path).integer(.port, in: 0...65_535) == 4711)
        }
    }

    @Test("all have a meaning, a flag and a variable", arguments: Setting.allCases)
    func names(setting: Setting) {
        #expect(!setting.meaning.isEmpty)
        #expect(setting.flag == "--" + setting.rawValue.split(separator: "_").joined(separator: "-"))
        #expect(setting.environmentNames[0] == "NEREID_\(setting.rawValue.uppercased())")
    }
}
