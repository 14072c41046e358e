// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import ArgumentParser
import NereidServer

/// A flag for every setting of the server, but for the secret of webhooks, which anyone could read in the list of processes.
/// What is not given comes from the environment, the file, or the default.
struct SettingFlags: ParsableArguments {
    @Option(help: .setting(.host)) var host: String?
    @Option(help: .setting(.port)) var port: String?
    @Option(help: .setting(.hosts)) var hosts: String?
    @Option(help: .setting(.defaultModel)) var defaultModel: String?
    @Option(help: .setting(.require)) var require: [String] = []
    @Option(help: .setting(.device)) var device: String?
    @Option(help: .setting(.instances)) var instances: String?
    @Option(help: .setting(.threads)) var threads: String?
    @Option(help: .setting(.onnxRuntime)) var onnxruntime: String?
    @Option(help: .setting(.cache)) var cache: String?
    @Option(help: .setting(.decodeThreads)) var decodeThreads: String?
    @Option(help: .setting(.decodeMemory)) var decodeMemory: String?
    @Option(help: .setting(.applyOrientation)) var applyOrientation: String?
    @Option(help: .setting(.maxPictureBytes)) var maxPictureBytes: String?
    @Option(help: .setting(.maxPictureSide)) var maxPictureSide: String?
    @Option(help: .setting(.maxPicturePixels)) var maxPicturePixels: String?
    @Option(help: .setting(.decodeTimeout)) var decodeTimeout: String?
    @Option(help: .setting(.maxMaskPixels)) var maxMaskPixels: String?
    @Option(help: .setting(.maxRequestBytes)) var maxRequestBytes: String?
    @Option(help: .setting(.maxUploadMemory)) var maxUploadMemory: String?
    @Option(help: .setting(.maxConnections)) var maxConnections: String?
    @Option(help: .setting(.queue)) var queue: String?
    @Option(help: .setting(.workers)) var workers: String?
    @Option(help: .setting(.legacyQueue)) var legacyQueue: String?
    @Option(help: .setting(.queueJobs)) var queueJobs: String?
    @Option(help: .setting(.queueBytes)) var queueBytes: String?
    @Option(help: .setting(.jobs)) var jobs: String?
    @Option(help: .setting(.jobBytes)) var jobBytes: String?
    @Option(help: .setting(.jobLife)) var jobLife: String?
    @Option(help: .setting(.jobDiskBytes)) var jobDiskBytes: String?
    @Option(help: .setting(.webhookHosts)) var webhookHosts: String?
    @Option(help: .setting(.requestTimeout)) var requestTimeout: String?
    @Option(help: .setting(.idleTimeout)) var idleTimeout: String?
    @Option(help: .setting(.shutdownDelay)) var shutdownDelay: String?
    @Option(help: .setting(.shutdownTimeout)) var shutdownTimeout: String?
    @Option(help: .setting(.corsOrigin)) var corsOrigin: String?
    @Option(help: .setting(.tlsCertificate)) var tlsCertificate: String?
    @Option(help: .setting(.tlsPrivateKey)) var tlsPrivateKey: String?
    @Option(help: .setting(.tlsConfig)) var tlsConfig: String?
    @Option(help: .setting(.logLevel)) var logLevel: String?

    /// What the command line says.
    var given: [Setting: String] {
        let all: [Setting: String?] = [
            .host: host, .port: port, .hosts: hosts, .defaultModel: defaultModel,
            .require: require.isEmpty ? nil : require.joined(separator: ","), .device: device, .instances: instances,
            .threads: threads, .onnxRuntime: onnxruntime, .cache: cache, .decodeThreads: decodeThreads,
            .decodeMemory: decodeMemory, .maxMaskPixels: maxMaskPixels,
            .applyOrientation: applyOrientation, .maxPictureBytes: maxPictureBytes, .maxPictureSide: maxPictureSide,
            .maxPicturePixels: maxPicturePixels, .decodeTimeout: decodeTimeout, .maxRequestBytes: maxRequestBytes,
            .maxUploadMemory: maxUploadMemory, .maxConnections: maxConnections, .queue: queue, .workers: workers,
            .legacyQueue: legacyQueue,
            .queueJobs: queueJobs, .queueBytes: queueBytes, .jobs: jobs, .jobBytes: jobBytes, .jobLife: jobLife,
            .jobDiskBytes: jobDiskBytes, .webhookHosts: webhookHosts, .requestTimeout: requestTimeout,
            .idleTimeout: idleTimeout,
            .shutdownDelay: shutdownDelay, .shutdownTimeout: shutdownTimeout, .corsOrigin: corsOrigin,
            .tlsCertificate: tlsCertificate, .tlsPrivateKey: tlsPrivateKey, .tlsConfig: tlsConfig,
            .logLevel: logLevel,
        ]
        return all.compactMapValues(\.self)
    }
}

extension ArgumentHelp {
    /// What a setting means.
    static func setting(_ setting: Setting) -> ArgumentHelp { ArgumentHelp(stringLiteral: setting.meaning) }
}
