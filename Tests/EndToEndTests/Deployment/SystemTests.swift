// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Testing

/// What can be tried of Deploy/ with the programs that are meant to read it, where they are installed.
@Suite("Deploy/ on this system", .inTurn)
struct SystemTests {
    private static let analyse = Repository.program("systemd-analyze")
    private static let redis = Repository.program("redis-server")

    @Test("systemd finds nothing wrong with the units", .enabled(if: analyse != nil, "systemd is not here"))
    func units() async throws {
        try await TemporaryFolder.with { folder in
            let units = try UnitFile.all
            for unit in units {
                // With the program where it is on this machine.
                let text = unit.text.replacing(UnitFile.program, with: ChildProcess.nereid)
                try text.write(to: folder.appendingPathComponent(unit.name), atomically: true, encoding: .utf8)
            }
            let names = units.map { unit in
                folder.appendingPathComponent(unit.name.replacing("@", with: "@\(UnitFile.instance)")).path
            }
            let ended = try await ChildProcess.run(
                try #require(Self.analyse),
                arguments: ["verify", "--man=no"] + names,
                environment: ["SYSTEMD_UNIT_PATH": "\(folder.path):"]
            )
            let complaints = ended.errors.split(separator: "\n").filter { $0.contains("nereid") }
            #expect(complaints.isEmpty, "\(ended.errors)")
        }
    }

    @Test(
        "Redis takes its command lines, keeps what it has, and writes it down",
        .enabled(if: redis != nil, "Redis is not here")
    )
    func redisCommands() async throws {
        let compose = try #require(ComposeFiles.merged(["compose.yaml"], [:])["services", "redis", "command"])
        let manifests = try Manifests(folder: "kubernetes/base")
        let container = try #require(
            manifests.pods.first { $0.name == "nereid-redis" }?.specification["containers"]?.list.first
        )
        let environment = try manifests.environment(of: container)
        let pod = try #require(container["args"]?.texts).map { manifests.expanded($0, environment) }
        for (arguments, password) in [(compose.texts, ""), (pod, environment["REDIS_PASSWORD", default: ""])] {
            try await TemporaryFolder.with { folder in
                let socket = folder.appendingPathComponent("redis.sock").path
                let server = try ChildProcess(
                    try #require(Self.redis),
                    arguments.map { $0 == "/data" ? folder.path : $0 } + ["--port", "0", "--unixsocket", socket],
                    folder: folder
                )
                defer { server.kill() }
                func ask(_ words: String...) async throws -> String {
                    try await ChildProcess.run(
                        "/usr/bin/redis-cli",
                        arguments: ["-s", socket] + words,
                        environment: password.isEmpty ? [:] : ["REDISCLI_AUTH": password]
                    ).output
                }
                try await eventually("Redis to answer") {
                    guard server.isRunning else { throw WaitedInVain(description: server.errors) }
                    return try await ask("ping").hasPrefix("PONG").orNil
                }
                let policy = try await ask("config", "get", "maxmemory-policy")
                #expect(policy == "maxmemory-policy\nnoeviction\n")
                let file = try await ask("config", "get", "appendonly")
                #expect(file == "appendonly\nyes\n")
                // Not by a signal: a thread of Foundation's may have lent it its blocked signals.
                _ = try await ask("shutdown")
                #expect(try await server.exitStatus() == 0)
            }
        }
    }

    private static let isBookworm =
        (try? String(contentsOfFile: "/etc/os-release", encoding: .utf8))?
        .contains("VERSION_CODENAME=bookworm") == true

    @Test(
        "The image installs what the program is linked with, and what it opens later",
        .enabled(
            if: isBookworm && Repository.program("objdump") != nil,
            "this is not Debian 12, whose packages the image has"
        )
    )
    func packages() async throws {
        let header = try await ChildProcess.run(
            try #require(Repository.program("objdump")),
            arguments: ["-p", ChildProcess.nereid]
        )
        let needed = Set(header.output.matches(of: /NEEDED\s+(\S+)/).map { String($0.1) })
        let found = try await ChildProcess.run("/usr/bin/ldd", arguments: [ChildProcess.nereid])
        let paths = found.output.matches(of: /(\S+) => (\/\S+)/).filter { needed.contains(String($0.1)) }
            .map { URL(fileURLWithPath: String($0.2)).resolvingSymlinksInPath().path }
        // A file that came before /lib became /usr/lib is known by its old path.
        let owners = try await ChildProcess.run(
            "/usr/bin/dpkg",
            arguments: ["-S"] + paths.flatMap { [$0, $0.replacing(/^\/usr/, with: "")] }
        )
        // Swift's own libraries are no one's: the image has them within the program.
        let linked = Set(
            owners.output.split(separator: "\n").compactMap { $0.split(separator: ":").first.map(String.init) }
        )
        let opened: Set = ["ca-certificates", "fonts-dejavu-core"]
        #expect(linked.count > 5)
        #expect(try ImageRecipe().packages == linked.union(opened))
    }
}
