// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NIOCore
import TestSupport
import Testing

/// A server whose jobs are on a disk of 96 MiB.
@Suite("A full disk", .enabled(if: SmallDisk.canMount, "\(SmallDisk.missing)"), .timeLimit(.minutes(5)))
struct DiskTests {
    private static func setup(_ disk: SmallDisk, endsWith: Int32 = 0) -> RunningServer.Setup {
        .init(
            models: ["blocks-v8"],
            flags: ["--jobs", disk.path + "/jobs", "--request-timeout", "300"],
            endsWith: endsWith
        )
    }

    private struct Health: Decodable {
        let status: String
        let degraded: [String]?
    }

    private static func health(of server: RunningServer) async throws -> Health {
        try await server.get("/health/ready").json(Health.self)
    }

    @Test("ends neither the server nor its jobs: orders are refused, results kept, jobs deleted, also after kill -9")
    func full() async throws {
        let disk = try SmallDisk(megabytes: 96)
        let block = Block(column: 1, row: 0, colour: .red)
        let ids = try await RunningServer.with(Self.setup(disk, endsWith: 128 + SIGKILL)) { server in
            let first = try await server.order([block], of: "blocks-v8").json(JobDocument.self)
            _ = try await server.finishedJob(first.id)
            // No picture, but as large as one.
            let noise = FormPart.file(ByteBuffer(repeating: 7, count: 4 << 20), filename: "a.png")
            let second = try await server.post("/v1/models/blocks-v8/jobs", form: [noise])
            #expect(second.status == 202)
            try disk.fill()
            let refused = try await server.order([block], of: "blocks-v8")
            #expect(refused.status == 503)
            #expect(refused.problemCode == "disk_full")
            #expect(refused.headers["retry-after"] == "60")
            try await server.expectCorrectAnswer()
            let id = try second.json(JobDocument.self).id
            #expect(try await server.finishedJob(id).pictures.failed == 1)
            #expect(try await server.send("DELETE", "/v1/jobs/\(first.id)").status == 204)
            try disk.fill()
            server.process.kill()
            _ = try await server.process.exitStatus()
            return (first.id, id)
        }
        try await RunningServer.with(Self.setup(disk)) { server in
            try await server.expectCorrectAnswer()
            #expect(try await server.get("/v1/jobs/\(ids.0)").status == 404)
            // With the room that was set aside the database can be opened on the full disk.
            #expect(try await server.job(ids.1).state == "done")
            // Whatever was freed meanwhile is taken again.
            try disk.fill()
            #expect(try await server.order([block], of: "blocks-v8").problemCode == "disk_full")
            #expect(try await Self.health(of: server).degraded?.first?.contains("orders of jobs are refused") == true)
            try disk.empty()
            let job = try await server.order([block], of: "blocks-v8").json(JobDocument.self)
            #expect(try await server.finishedJob(job.id).pictures.failed == 0)
            #expect(try await Self.health(of: server).degraded == nil)
        }
    }

    @Test(
        "or a damaged database at the start leaves predictions; jobs say why they are not there, and come back by themselves"
    )
    func damaged() async throws {
        let disk = try SmallDisk(megabytes: 96)
        let database = disk.path + "/jobs/jobs.sqlite"
        try FileManager.default.createDirectory(atPath: disk.path + "/jobs", withIntermediateDirectories: true)
        try Data(repeating: 0x55, count: 10_000).write(to: URL(fileURLWithPath: database))
        try await RunningServer.with(Self.setup(disk)) { server in
            try await server.expectCorrectAnswer()
            let refused = try await server.order([Block(column: 1, row: 0, colour: .red)], of: "blocks-v8")
            #expect(refused.status == 503)
            #expect(refused.problemCode == "jobs_unavailable")
            #expect(refused.text.contains("is damaged"))
            #expect(server.process.errors.contains("jobs are not available"))
            try FileManager.default.moveItem(atPath: database, toPath: disk.path + "/aside")
            let job = try await eventually("jobs to be available", within: .seconds(60)) {
                let answer = try await server.order([Block(column: 1, row: 0, colour: .red)], of: "blocks-v8")
                return answer.status == 202 ? try answer.json(JobDocument.self) : nil
            }
            #expect(try await server.finishedJob(job.id).pictures.failed == 0)
        }
    }
}
