// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NIOCore
import Testing

@Suite("Gateways and workers", .inTurn, .serialized, .enabled(if: RunningRedis.isInstalled, RunningRedis.isMissing))
struct ClusterTests {
    private let block = Block(column: 9, row: 1, colour: .blue)

    @Test("A gateway answers by workers elsewhere, and follows them within two seconds of their coming and going")
    func comingAndGoing() async throws {
        try await Cluster.with { cluster in
            try await cluster.withGateway { gateway in
                let before = try await gateway.get("/health/ready")
                #expect(before.status == 503)
                #expect(try before.json(Readiness.self).missing?.first?.contains("no worker serves a model") == true)
                try await cluster.withWorker(["reef=blocks-v8"]) { worker in
                    _ = try await worker.url()
                    // From the moment at which its model is loaded.
                    try await eventually("the worker to be ready") {
                        worker.process.errors.contains("model loaded").orNil
                    }
                    try await eventually("the gateway to see the worker", within: .seconds(2)) {
                        try await gateway.model("reef").map { _ in () }
                    }
                    #expect(try await gateway.get("/health/ready").status == 200)
                    try await gateway.expectCorrectAnswer(model: "reef")
                    let unknown = try await gateway.predict(.blocks(block), model: "x")
                    #expect((unknown.status, unknown.problemCode) == (404, "model_not_found"))
                    #expect(unknown.text.contains("reef"))
                    worker.process.kill()
                    _ = try await worker.process.exitStatus()
                    try await eventually("the gateway to miss the worker", within: .seconds(2)) {
                        try await (gateway.get("/health/ready").status == 503).orNil
                    }
                    #expect(try await gateway.model("reef") == nil)
                }
                // Jobs for a model whose worker has just gone wait for the next one.
                let answer = Task { try await gateway.predict(.blocks(block), model: "reef") }
                try await cluster.withWorker(["reef=blocks-v8"]) { _ in
                    let late = try await answer.value
                    #expect(try late.json(Prediction.self).detections == [block.detection])
                }
            }
        }
    }

    @Test("A gateway is ready when workers serve what it requires, a worker when it serves what it was given")
    func required() async throws {
        try await Cluster.with { cluster in
            try await cluster.withGateway(flags: ["--require", "reef,deep"]) { gateway in
                try await cluster.withWorker(["reef=blocks-v8", "bad=broken"]) { worker in
                    try await eventually("the worker to be seen") { try await gateway.model("reef").map { _ in () } }
                    let health = try await gateway.get("/health/ready")
                    #expect(health.status == 503)
                    let missing = try health.json(Readiness.self).missing
                    #expect(missing?.count == 1)
                    #expect(missing?.first?.hasPrefix("model ‘deep’ is missing: no worker serves it") == true)
                    // It was named there, so that the worker is of no use as it is; the gateway has not asked for it.
                    let bad = try await ChildProcess.run(arguments: ["health", worker.url()])
                    #expect(bad.status == 1 && bad.output.contains("model ‘bad’ can't be served"), "\(bad.output)")
                    try await cluster.withWorker(["deep=blocks-v5"]) { _ in
                        try await gateway.becomesReady()
                    }
                    try await eventually("the gateway to miss the model") {
                        try await (gateway.get("/health/ready").status == 503).orNil
                    }
                }
            }
        }
    }

    @Test("A client's id and trace reach the worker's log")
    func trace() async throws {
        try await Cluster.with { cluster in
            try await cluster.withWorker(["reef=blocks-v8"], flags: ["--log-level", "debug"]) { worker in
                try await cluster.withGateway(isReady: true) { gateway in
                    let answer = try await gateway.post(
                        RunningServer.path(of: "reef"),
                        .blocks(block),
                        headers: [
                            "X-Request-ID": "dive-7",
                            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                        ]
                    )
                    #expect(try answer.json(Prediction.self).id == "dive-7")
                }
                try await eventually("the worker's line") {
                    worker.process.errors.split(separator: "\n").contains {
                        $0.contains(" msg=\"job answered\" ") && $0.contains(" request=dive-7 ")
                            && $0.hasSuffix(" trace_id=0af7651916cd43dd8448eb211c80319c")
                    }.orNil
                }
            }
        }
    }

    @Test("Two versions of a model are served side by side while one takes the other's place")
    func rollOut() async throws {
        try await Cluster.with { cluster in
            try await cluster.withWorker(["reef=blocks-v5"]) { old in
                try await cluster.withGateway(isReady: true) { gateway in
                    try await cluster.withWorker(["reef=blocks-v8"]) { _ in
                        try await eventually("both workers to be listed") {
                            try await (gateway.model("reef")?.workers?.count == 2).orNil
                        }
                        let files = try await gateway.model("reef")?.workers?.map(\.file).sorted()
                        #expect(files == ["blocks-v5.onnx", "blocks-v8.onnx"])
                        for _ in 0..<6 { try await gateway.expectCorrectAnswer(model: "reef") }
                        old.process.terminate()
                        #expect(try await old.process.exitStatus() == 0)
                        for _ in 0..<6 { try await gateway.expectCorrectAnswer(model: "reef") }
                        try await eventually("the old worker to be forgotten", within: .seconds(2)) {
                            try await (gateway.model("reef")?.workers?.map(\.file) == ["blocks-v8.onnx"]).orNil
                        }
                    }
                }
            }
        }
    }

    @Test("Told to stop, a worker finishes what it has, takes no more, and ends with status 0")
    func gracefulWorker() async throws {
        try await Cluster.with { cluster in
            try await cluster.withWorker(["slow"]) { worker in
                try await cluster.withGateway(isReady: true) { gateway in
                    let picture = try ByteBuffer.blocks(block)
                    try await withThrowingTaskGroup(of: Answer.self) { group in
                        for _ in 0..<8 { group.addTask { try await gateway.predict(picture, model: "slow") } }
                        try await eventually("some to run and some to wait") {
                            let status = try await cluster.status().first
                            return ((status?.running ?? 0) > 0 && (status?.waiting ?? 0) > 3).orNil
                        }
                        worker.process.terminate()
                        #expect(try await worker.process.exitStatus() == 0)
                        // What it had is answered; what it did not take waits.
                        let left = try #require(try await cluster.status().first)
                        #expect(left.running == 0)
                        #expect(left.waiting > 0)
                        #expect(left.waiting < 8)
                        try await cluster.withWorker(["slow"]) { _ in
                            for try await answer in group {
                                #expect(try answer.json(Prediction.self).detections == [block.detection])
                            }
                        }
                    }
                }
            }
        }
    }

    @Test("A picture that ends its worker goes to the dead letters after three, while others flow")
    func poison() async throws {
        try await Cluster.with { cluster in
            let environment = ["NEREID_FAILPOINT_CRASH": "end-the-process"]
            var poison = try ByteBuffer.blocks(block)
            poison.writeString("end-the-process")
            try await cluster.withGateway { gateway in
                // Whoever dies is started again, as systemd, Docker and Kubernetes do.
                let keeper = Task {
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for _ in 0..<2 {
                            group.addTask {
                                while !Task.isCancelled {
                                    try await cluster.withWorker(["reef=blocks-v8"], environment: environment) {
                                        worker in
                                        while worker.process.isRunning {
                                            try await Task.sleep(for: .milliseconds(50))
                                        }
                                    }
                                }
                            }
                        }
                        try await group.waitForAll()
                    }
                }
                try await gateway.becomesReady()
                let bad = Task { [poison] in try await gateway.predict(poison, model: "reef") }
                var good = 0
                while !bad.isCancelled, good < 40 {
                    try await gateway.expectCorrectAnswer(model: "reef")
                    good += 1
                }
                let answer = try await bad.value
                #expect((answer.status, answer.problemCode) == (500, "model_failed"))
                #expect(answer.text.contains("3 workers"))
                keeper.cancel()
                _ = await keeper.result
                #expect(try await cluster.status().map(\.dead) == [1])
                let dead = try await ChildProcess.run(arguments: [
                    "queue", "dead", "reef", "--queue", cluster.redis.url,
                ])
                #expect(dead.output.contains("3 workers of model ‘reef’ have ended"))
                // Sent again to workers without the fault, it is done.
                let retry = try await ChildProcess.run(arguments: [
                    "queue", "retry", "reef", "--queue", cluster.redis.url,
                ])
                #expect((retry.status, retry.output) == (0, "1 put back into the queue of ‘reef’\n"))
                try await cluster.withWorker(["reef=blocks-v8"]) { _ in
                    try await eventually("the letter to be done") {
                        try await
                            (cluster.status() == [.init(model: "reef", waiting: 0, running: 0, bytes: 0, dead: 0)])
                            .orNil
                    }
                }
            }
        }
    }

    @Test("A gateway without a queue says so, waits for it, and serves when it is there")
    func queueIsAway() async throws {
        try await Cluster.with { cluster in
            try await cluster.withWorker(["reef=blocks-v8"]) { _ in
                try await cluster.withGateway(isReady: true) { gateway in
                    try await cluster.redis.restart()
                    try await eventually("the queue to be there again") {
                        try await (gateway.predict(.blocks(block), model: "reef").status == 200).orNil
                    }
                    try await gateway.expectCorrectAnswer(model: "reef")
                }
            }
        }
    }

    @Test("A worker is ready with its models and its queue only, and comes back to a queue that was away")
    func workerHealth() async throws {
        try await Cluster.with { cluster in
            try await cluster.withWorker(["reef=blocks-v8"]) { worker in
                let url = try await worker.url()
                func health() async throws -> Int32 {
                    try await ChildProcess.run(arguments: ["health", url]).status
                }
                try await eventually("the worker to be ready") { try await (health() == 0).orNil }
                cluster.redis.kill()
                try await eventually("the worker to miss its queue") { try await (health() == 1).orNil }
                let live = try await ChildProcess.run(arguments: ["health", url, "--live"])
                #expect((live.status, live.output) == (0, "{\"status\":\"live\"}\n"))
                try await cluster.redis.restart()
                try await eventually("the worker to be ready again") { try await (health() == 0).orNil }
                try await cluster.withGateway(isReady: true) { try await $0.expectCorrectAnswer(model: "reef") }
            }
            let nobody = try await ChildProcess.run(arguments: ["health", "http://localhost:1"])
            #expect(nobody.status == 1)
            #expect(
                nobody.errors.contains(
                    "the connection to http://localhost:1/health/ready was refused: nothing listens there"
                )
            )
        }
    }

    @Test("A server with a queue and models of its own takes jobs of other gateways too")
    func together() async throws {
        try await Cluster.with { cluster in
            let setup = RunningServer.Setup(models: ["blocks-v8"], flags: ["--queue", cluster.redis.url])
            try await RunningServer.with(setup) { server in
                try await server.expectCorrectAnswer()
                try await cluster.withGateway(isReady: true) { gateway in
                    try await gateway.expectCorrectAnswer()
                    let order = try await gateway.order((0..<10).map(Block.init(number:)), of: "blocks-v8")
                    #expect(order.status == 202)
                    let id = try order.json(JobDocument.self).id
                    // Any gateway of the queue knows the job.
                    let job = try await server.finishedJob(id)
                    #expect(job.pictures == .init(total: 10, done: 10, failed: 0))
                }
            }
        }
    }
}
