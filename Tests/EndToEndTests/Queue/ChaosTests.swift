// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NIOCore
import Testing

@Suite("A queue in bad times", .inTurn, .enabled(if: RunningRedis.isInstalled, RunningRedis.isMissing))
struct ChaosTests {
    /// A quick one: a picture that takes long may meet the end of three workers by chance, and is given up then.
    private static let model = "blocks-v8"

    @Test(
        "A thousand pictures by workers that are killed and a queue that is restarted: each answered rightly or refused cleanly"
    )
    func killing() async throws {
        try await Cluster.with { cluster in
            try await cluster.withGateway { first in
                try await cluster.withGateway { second in
                    let gateways = [first, second]
                    let killer = Killer(cluster, model: Self.model, workers: 3)
                    let killing = Task { try await killer.run() }
                    for gateway in gateways { try await gateway.becomesReady() }
                    async let restart: Void = {
                        try await Task.sleep(for: .seconds(6))
                        try await cluster.redis.restart()
                    }()
                    async let requests = Self.ask(gateways, pictures: 640)
                    async let jobs = Self.order(gateways, jobs: 12, pictures: 30)
                    let tally = try await requests
                    let ids = try await jobs
                    try await restart
                    // Nobody is killed any more, so that what was left behind can be taken over.
                    await killer.stop()
                    #expect(tally.wrong == 0)
                    #expect(tally.right + tally.refused == 640)
                    #expect(tally.right > 500, "\(tally)")
                    for (id, blocks) in ids {
                        let job = try await second.finishedJob(id)
                        #expect(job.pictures == .init(total: blocks.count, done: blocks.count, failed: 0))
                        let results = try #require(job.results)
                        #expect(results.map(\.picture).sorted() == Array(blocks.indices), "each picture once")
                        for result in results {
                            #expect(result.detections == [blocks[result.picture].detection])
                        }
                    }
                    try await eventually("nothing to be left") {
                        try await cluster.status().allSatisfy { $0.waiting == 0 && $0.running == 0 && $0.bytes == 0 }
                            .orNil
                    }
                    #expect(try await cluster.status().allSatisfy { $0.dead == 0 })
                    await killer.end()
                    _ = try await killing.value
                }
            }
        }
    }

    private struct Tally: Sendable {
        var right = 0
        var wrong = 0
        var refused = 0
    }

    /// Asks gateways by turns, eight requests at a time, each for a block at its own place.
    private static func ask(_ gateways: [RunningServer], pictures: Int) async throws -> Tally {
        try await withThrowingTaskGroup(of: Tally.self) { group in
            for first in 0..<8 {
                group.addTask {
                    var tally = Tally()
                    for number in stride(from: first, to: pictures, by: 8) {
                        let block = Block(number: number % 80)
                        let answer = try await gateways[number % 2].predict(.blocks(block), model: Self.model)
                        if answer.status == 200 {
                            let isRight = try answer.json(Prediction.self).detections == [block.detection]
                            if isRight { tally.right += 1 } else { tally.wrong += 1 }
                        } else {
                            // Said in the words of a problem, with a status of the server's.
                            #expect((500...504).contains(answer.status), "\(answer.text)")
                            #expect(answer.problemCode != nil, "\(answer.text)")
                            tally.refused += 1
                        }
                        // So that it lasts as long as several workers live.
                        try await Task.sleep(for: .milliseconds(100))
                    }
                    return tally
                }
            }
            return try await group.reduce(into: Tally()) { sum, part in
                sum.right += part.right
                sum.wrong += part.wrong
                sum.refused += part.refused
            }
        }
    }

    /// Orders jobs from gateways by turns. One that is not accepted was not accepted: it is ordered again.
    private static func order(_ gateways: [RunningServer], jobs: Int, pictures: Int) async throws -> [(String, [Block])]
    {
        var ids: [(String, [Block])] = []
        for number in 0..<jobs {
            let blocks = (0..<pictures).map { Block(number: ($0 + number) % 80) }
            let id = try await eventually("a job to be accepted") {
                let answer = try await gateways[number % 2].order(blocks, of: Self.model)
                return answer.status == 202 ? try answer.json(JobDocument.self).id : nil
            }
            ids.append((id, blocks))
            try await Task.sleep(for: .milliseconds(700))
        }
        return ids
    }
}

/// Kills one worker after another, and starts a new one in its place.
private actor Killer {
    private let cluster: Cluster
    private let model: String
    private var workers: [RunningWorker] = []
    private let count: Int
    private var isKilling = true
    private var isOver = false

    init(_ cluster: Cluster, model: String, workers: Int) {
        (self.cluster, self.model, count) = (cluster, model, workers)
    }

    func run() async throws {
        for _ in 0..<count { workers.append(try cluster.startWorker([model])) }
        var turn = 0
        while !isOver {
            try await Task.sleep(for: .seconds(3))
            guard isKilling, !isOver else { continue }
            workers[turn % count].process.kill()
            workers[turn % count] = try cluster.startWorker([model])
            // On a busy machine a worker takes its time to start: there are always two at work.
            _ = try await workers[turn % count].url()
            turn += 1
        }
        for worker in workers { worker.process.kill() }
    }

    func stop() { isKilling = false }

    func end() { isOver = true }
}
