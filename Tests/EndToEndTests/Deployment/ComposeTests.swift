// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Testing

@Suite("The compose files", .inTurn)
struct ComposeTests {
    private func services(_ files: String..., variables: [String: String]? = nil) throws -> [String: Document] {
        let merged = try ComposeFiles.merged(files, variables ?? ComposeFiles.example)
        return try #require(merged["services"]).map
    }

    @Test(".env.example has every variable that the files know, and no other")
    func example() throws {
        let known = try ["compose.yaml", "compose.gpu.yaml", "compose.redis.yaml", "compose.single.yaml"]
            .map(ComposeFiles.variables).reduce(into: Set()) { $0.formUnion($1) }
        let example = Set(try ComposeFiles.example.keys)
        #expect(known == example, "\(known.symmetricDifference(example).sorted())")
        let older: Set = [
            "SERVER_HOST", "SERVER_PORT", "SERVER_URL", "TRAEFIK_CONFIG", "REDIS_HOST", "REDIS_PORT", "REDIS_DB",
        ]
        #expect(example.isSuperset(of: older))
    }

    @Test("The older server's names arrive where they mean something")
    func olderNames() throws {
        let variables = try ComposeFiles.environments[2]
        let services = try services("compose.yaml", "compose.redis.yaml", variables: variables)
        for name in ["gateway", "worker"] {
            let queue = services[name]?["environment", "NEREID_QUEUE"]?.text
            #expect(queue == "redis://redis.example.org:6380/3")
            #expect(services[name]?["depends_on"] == nil)
        }
        let traefik = try #require(services["traefik"])
        #expect(traefik["ports"]?.texts.contains("8443:8443") == true)
        #expect(traefik["command"]?.texts.contains("--entrypoints.http.http.redirections.entrypoint.to=:8443") == true)
        // Where the older server's certificates.toml says that its files are.
        #expect(traefik["volumes"]?.texts.contains("/srv/traefik:/configuration/files:ro") == true)
        #expect(traefik["environment", "SERVER_HOST"]?.text == "nereid.example.org")
        #expect(traefik["environment", "SERVER_URL"]?.text == "https://nereid.example.org:8443")
        #expect(services["redis"] == nil)
    }

    @Test("A password is part of Redis' address when there is one")
    func password() throws {
        let services = try services("compose.yaml", variables: ["REDIS_PASSWORD": "s3cret"])
        #expect(services["gateway"]?["environment", "NEREID_QUEUE"]?.text == "redis://:s3cret@redis:6379/0")
        #expect(services["redis"]?["command"]?.texts.last == "s3cret")
        let without = try self.services("compose.yaml", variables: [:])
        #expect(without["gateway"]?["environment", "NEREID_QUEUE"]?.text == "redis://redis:6379/0")
    }

    @Test("A file that needs a variable says so")
    func missing() throws {
        #expect(throws: DeploymentMistake.self) { try services("compose.yaml", "compose.gpu.yaml") }
    }

    @Test("Containers have no rights, write nowhere but in volumes, and are reached through Traefik alone")
    func hardened() throws {
        let services = try services("compose.yaml").merging(services("compose.single.yaml")) { $1 }
        #expect(services.keys.sorted() == ["gateway", "nereid", "redis", "traefik", "worker"])
        for (name, service) in services {
            #expect(service["read_only"]?.text == "true", "\(name)")
            #expect(service["cap_drop"]?.texts == ["ALL"], "\(name)")
            #expect(service["security_opt"]?.texts == ["no-new-privileges:true"], "\(name)")
            #expect(service["deploy", "resources", "limits", "memory"] != nil, "\(name)")
            #expect((service["ports"] != nil) == ["traefik", "nereid"].contains(name), "\(name)")
            #expect(service["volumes"]?.texts.contains { $0.contains("docker.sock") } != true, "\(name)")
        }
        let open = try #require(services["traefik"]?["ports"]?.texts)
        #expect(
            open.contains { $0.hasPrefix("127.0.0.1:") && $0.hasSuffix(":8080") },
            "the dashboard is for this machine"
        )
        #expect(services["nereid"]?["ports"]?.texts == ["127.0.0.1:8080:8080"])
        let document = try ComposeFiles.merged(["compose.yaml"], [:])
        #expect(document["networks", "queue", "internal"]?.text == "true")
        #expect(services["redis"]?["networks"]?.texts == ["queue"])
    }

    @Test("Traefik is told of the gateways, and of nothing that is not there")
    func traefik() throws {
        let file = try #require(Document.all(of: DeployFolder.text("traefik/nereid.yaml")).first)
        let gateways = try #require(file["http", "services", "gateways", "loadBalancer", "servers"]?.list.first)
        #expect(gateways["url"]?.text == "http://gateway:8080")
        #expect(try ImageRecipe().ports == ["8080"])
        let command = try #require(services("compose.yaml")["traefik"]?["command"]?.texts)
        for (name, router) in try #require(file["http", "routers"]).map {
            for entry in router["entryPoints"]?.texts ?? [] {
                #expect(command.contains { $0.hasPrefix("--entrypoints.\(entry).address=") }, "\(name)")
            }
            for middleware in router["middlewares"]?.texts ?? [] {
                #expect(file["http", "middlewares", middleware] != nil, "\(name)")
            }
            let service = try #require(router["service"]?.text)
            #expect(service == "api@internal" || file["http", "services", service] != nil, "\(name)")
        }
    }
}
