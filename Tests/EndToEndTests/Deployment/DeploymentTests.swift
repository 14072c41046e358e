// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NereidServer
import Testing

@Suite("What Deploy/ says", .inTurn)
struct DeploymentTests {
    @Test("Every command line in it is one that the program takes", arguments: try DeployedCommand.all)
    func commandLine(command: DeployedCommand) async throws {
        let ended = try await command.check()
        #expect(ended.status == 0, "\(ended.errors)")
        // Everyone can reach it, but on a machine without containers.
        let host = command.place.hasSuffix(".service") ? "127.0.0.1" : "0.0.0.0"
        let port = command.environment["NEREID_PORT"] ?? "8080"
        #expect(ended.output.hasPrefix("\(command.role.rawValue) \(host):\(port)\n"), "\(ended.output)")
        #expect(ended.output.contains("queue: in this process") == (command.role == .server), "\(ended.output)")
        if let models = command.environment["NEREID_MODELS"] {
            #expect(ended.output.contains("model: \(models)"), "\(ended.output)")
        }
        #expect(!ended.output.contains("s3cret") && !ended.output.contains("change-me"), "a password is printed")
    }

    @Test("Of a misspelt flag or setting the program would have told")
    func misspelt() async throws {
        for command in try DeployedCommand.all.prefix(3) {
            let flag = try await command.check(["--no-worker"])
            #expect(flag.status == 64, "\(flag.errors)")
            let setting = try await command.check(environment: ["NEREID_QEUEU": ""])
            #expect(setting.status == 1 && setting.errors.contains("NEREID_QEUEU"), "\(setting.errors)")
        }
    }

    @Test("There is a command line of each kind in each way of running it")
    func roles() throws {
        let roles = Dictionary(grouping: try DeployedCommand.all) { $0.place.split(separator: ",")[0].description }
            .mapValues { Set($0.map(\.role)) }
        #expect(roles["Dockerfile"] == [.server])
        #expect(roles["compose.single.yaml"] == [.server])
        #expect(roles["compose.yaml"] == [.gateway, .worker])
        #expect(roles["kubernetes/base"] == [.gateway, .worker])
        #expect(roles["nereid-gateway.service"] == [.gateway])
        #expect(roles["nereid-worker@.service"] == [.worker])
    }

    @Test("Nobody is killed before the time is over in which requests are finished", arguments: try DeployedCommand.all)
    func grace(command: DeployedCommand) throws {
        // Docker's own grace is said where containers are made, not in the image.
        guard command.place != "Dockerfile" else { return }
        let defaults = ServerConfiguration()
        let delay = command.environment["NEREID_SHUTDOWN_DELAY"].flatMap(Double.init).map { Duration.seconds($0) }
        #expect(try #require(command.grace) > defaults.shutdownTimeout + (delay ?? defaults.shutdownDelay))
    }

    @Test("The image's health check asks the program, and says so when nobody answers")
    func healthCheck() async throws {
        let image = try ImageRecipe()
        let check = try image.healthCheck
        #expect(check.first == "nereid")
        let ended = try await ChildProcess.run(
            arguments: Array(check.dropFirst()),
            environment: image.environment.merging(["NEREID_PORT": "1"]) { $1 }
        )
        #expect(ended.status == 1)
        #expect(
            ended.errors.contains("the connection to http://localhost:1/health/ready was refused"),
            "\(ended.errors)"
        )
    }

    @Test("Every YAML file is well-formed")
    func wellFormed() throws {
        let files = try DeployFolder.files(ending: ".yaml")
        #expect(files.count > 10)
        for file in files {
            let documents = try Document.all(of: DeployFolder.text(file))
            #expect(!documents.isEmpty && documents.allSatisfy { !$0.map.isEmpty }, "\(file)")
        }
    }
}
