// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import ArgumentParser
import NereidServer

/// What the commands that run one model may say of how it runs.
struct EngineFlags: ParsableArguments {
    @Option(help: .setting(.device)) var device: String?
    @Option(help: .setting(.instances)) var instances: String?
    @Option(help: .setting(.threads)) var threads: String?
    @Option(help: .setting(.onnxRuntime)) var onnxruntime: String?
    @Option(help: .setting(.cache)) var cache: String?
    @Option(help: .setting(.decodeMemory)) var decodeMemory: String?
    @Option(help: "trace, debug, info, notice, warning, error or critical (warning).") var logLevel: String?

    /// What the flags say, and the defaults.
    ///
    /// - Throws: `SettingsError` for a value that can't be used.
    var configuration: EngineConfiguration {
        get throws {
            let flags: [Setting: String?] = [
                .device: device, .instances: instances, .threads: threads, .onnxRuntime: onnxruntime,
                .cache: cache, .decodeMemory: decodeMemory, .logLevel: logLevel ?? "warning",
            ]
            return try EngineConfiguration(SettingsLayers(flags: flags.compactMapValues(\.self)))
        }
    }
}
