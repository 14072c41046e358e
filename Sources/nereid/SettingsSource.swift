// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import ArgumentParser
import NereidServer

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The flags that a serving command has in common: its models, every setting, and the file with more of them.
struct SettingsSource: ParsableArguments {
    @Argument(help: "Models to serve: PATH or NAME=PATH (demo).")
    var models: [String] = []

    @Option(help: "YAML file with settings (also NEREID_CONFIG).")
    var config: String?

    @Flag(help: "Read every setting, say what would be done, and leave.")
    var check = false

    @OptionGroup(title: "Settings")
    var settings: SettingFlags

    /// The settings of all places.
    ///
    /// - Parameter flags: settings that flags of the command's own say.
    /// - Throws: `SettingsError`.
    func layers(and flags: [Setting: String] = [:]) throws -> SettingsLayers {
        let environment = ProcessInfo.processInfo.environment
        return try SettingsLayers(
            flags: settings.given.merging(flags) { $1 },
            environment: environment,
            file: config ?? environment["NEREID_CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
        )
    }

    /// The models that the command line names, or else the settings.
    func models(_ engine: EngineConfiguration) -> [String] { models.isEmpty ? engine.models : models }
}
