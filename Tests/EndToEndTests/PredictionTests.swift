// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NIOCore
import Testing

@Suite("Predictions over HTTP", .inTurn, .serving("blocks-v8", "blocks-v5", "slow"))
struct PredictionTests {
    let block = Block(column: 3, row: 1, colour: .blue)

    @Test("The page, the life signs and the numbers are there")
    func isThere() async throws {
        let server = try RunningServer.shared
        let page = try await server.get("/")
        #expect(page.status == 200)
        #expect(page.headers["content-type"]?.hasPrefix("text/html") == true)
        #expect(try await server.get("/health/live").status == 200)
        #expect(try await server.get("/health/ready").json(Readiness.self).status == "ready")
        #expect(try await server.metric(#"nereid_model_ready{model="blocks-v8"}"#) == 1)
        #expect(try await server.residentBytes > 1 << 20)
    }

    @Test("A picture as the body is answered with its blocks")
    func rawBody() async throws {
        let other = Block(column: 30, row: 0, colour: .red, paleness: 179)
        let answer = try await RunningServer.shared.predict(.blocks(block, other))
        let prediction = try answer.json(Prediction.self)
        #expect(answer.status == 200)
        #expect(prediction.model == "blocks-v8")
        #expect(prediction.image == .init(width: 640, height: 32))
        #expect(prediction.id == answer.headers["x-request-id"])
        #expect(Set(prediction.timing.keys) == ["queue_ms", "decode_ms", "inference_ms", "postprocess_ms"])
        #expect(prediction.detections.map(\.label) == ["blue", "red"])
        #expect(prediction.detections.first == block.detection)
        // Twice the margin between the channels: 2 · (255 - 179) / 255.
        #expect(prediction.detections.last.map { abs($0.score - 0.596) < 0.001 } == true)
        #expect(prediction.detections.last?.box == other.box)
    }

    @Test("Several pictures in one form are answered in their order, a broken one in its place")
    func severalPictures() async throws {
        let other = Block(column: 9, row: 0, colour: .green)
        let answer = try await RunningServer.shared.post(
            RunningServer.path(of: "blocks-v5"),
            form: .file(.blocks(block), filename: "first.png"),
            .file(ByteBuffer(string: "no picture"), filename: "second.png"),
            .file(.blocks(other), filename: "third.png")
        )
        let results = try answer.json(Predictions.self).results
        #expect(answer.status == 200)
        #expect(results.map(\.file) == ["first.png", "second.png", "third.png"])
        #expect(results.map(\.detections) == [[block.detection], nil, [other.detection]])
        #expect(results.map { $0.error?.code } == [nil, "not_a_picture", nil])
    }

    @Test("What is asked for in the query counts")
    func parameters() async throws {
        let server = try RunningServer.shared
        let picture = try ByteBuffer.blocks(block, Block(column: 20, row: 0, colour: .red))
        let chosen = try await server.predict(picture, query: "?classes=blue").json(Prediction.self)
        #expect(chosen.detections == [block.detection])
        let table = try await server.predict(picture, query: "?classes=blue&format=csv")
        let lines =
            "file,label,class_id,score,x1,y1,x2,y2,mask_area,image_width,image_height,taken,model,error\r\n"
            + ",blue,2,1,48,16,64,32,,640,32,,blocks-v8,\r\n"
        #expect(table.text == lines)
        let drawn = try await server.predict(picture, query: "?annotate=jpeg")
        #expect(drawn.headers["content-type"] == "image/jpeg")
        #expect(drawn.body.getBytes(at: drawn.body.readerIndex, length: 2) == [0xFF, 0xD8])
        let refused = try await server.predict(picture, query: "?confidence=much")
        #expect(refused.status == 400)
        #expect(refused.problemCode == "bad_parameter")
    }

    @Test(
        "/predictor answers under all its names",
        arguments: ["/predictor", "/predictor/", "/model/v1/predictor", "/model/v1/predictor/"]
    )
    func predictor(path: String) async throws {
        var file = FormPart.file(try .blocks(block))
        file.contentType = "image/jpg"
        let answer = try await RunningServer.shared.post(path, form: .field("model_type", "blocks-v5"), file)
        let document = try answer.json(PredictorAnswer.self)
        #expect(answer.status == 200)
        #expect(document.success)
        #expect(document.error == nil)
        #expect(document.predictions == [.init(categoryID: "blue", scores: [1], bbox: block.box)])
    }

    @Test("/predict answers under all its names", arguments: ["/predict", "/predict/", "/model/v1/predict/"])
    func concepts(path: String) async throws {
        let answer = try await RunningServer.shared.post(path, form: .file(.blocks(block)))
        let expected = Concept(concept: "blue", x: 48, y: 16, width: 16, height: 16, probability: 1)
        #expect(answer.status == 200)
        #expect(try answer.json([Concept].self) == [expected])
    }

    @Test("/predictor says in its own shape what is wrong")
    func predictorErrors() async throws {
        let server = try RunningServer.shared
        let noModel = try await server.post("/predictor/", form: .file(.blocks(block)))
        #expect(noModel.status == 400)
        #expect(try noModel.json(PredictorAnswer.self).success == false)
        #expect(try noModel.json(PredictorAnswer.self).error?.contains("model_type") == true)
        let unknown = try await server.post(
            "/predictor/",
            form: .field("model_type", "benthic"),
            .file(.blocks(block))
        )
        #expect(unknown.status == 404)
        #expect(
            try unknown.json(PredictorAnswer.self).error?.contains("served here: blocks-v8, blocks-v5, slow") == true
        )
    }

    @Test("An unknown model is refused with the names of those that exist")
    func unknownModel() async throws {
        let answer = try await RunningServer.shared.predict(.blocks(block), model: "benthic")
        #expect(answer.status == 404)
        let problem = try answer.json(Problem.self)
        #expect(answer.problemCode == "model_not_found")
        #expect(problem.detail == "model ‘benthic’ not found; served here: blocks-v8, blocks-v5, slow")
        #expect(try await RunningServer.shared.get("/v1/models/benthic").status == 404)
    }

    @Test("The models are listed in the order in which they were given")
    func models() async throws {
        let list = try await RunningServer.shared.get("/v1/models").json(ModelList.self).models
        #expect(list.map(\.name) == ["blocks-v8", "blocks-v5", "slow"])
        #expect(list.map(\.state) == ["ready", "ready", "ready"])
        #expect(list.map { $0.head?.kind } == ["yolov8", "yolov5", "yolov8"])
        #expect(list.allSatisfy { $0.classes == ["red", "green", "blue"] })
        #expect(try await RunningServer.shared.get("/v1/models/slow").json(Model.self).name == "slow")
    }

    @Test("64 different pictures at once are answered as they are one by one")
    func manyAtOnce() async throws {
        let server = try RunningServer.shared
        let blocks = (0..<64).map { Block(number: $0) }
        let pictures = try blocks.map { try ByteBuffer.blocks($0) }
        for (picture, block) in zip(pictures, blocks) {
            #expect(try await server.predict(picture).json(Prediction.self).detections == [block.detection])
        }
        let answers = try await withThrowingTaskGroup(of: (Int, Answer).self) { group in
            for (index, picture) in pictures.enumerated() {
                group.addTask { (index, try await server.predict(picture)) }
            }
            return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        for (index, block) in blocks.enumerated() {
            #expect(try answers[index]?.json(Prediction.self).detections == [block.detection])
        }
    }

    @Test("100 requests on one connection, one after the other, are answered on it")
    func keepAlive() async throws {
        try await RawConnection.with(RunningServer.shared) { connection in
            for number in 0..<100 {
                let block = Block(number: number % 80)
                let picture = try ByteBuffer.blocks(block)
                try await connection.post(RunningServer.path(of: "blocks-v8"), picture)
                let answer = try await connection.answer()
                #expect(try answer.json(Prediction.self).detections == [block.detection])
            }
            #expect(!connection.hasEnded)
        }
    }

    @Test("Requests sent without waiting for the answers are answered in their order")
    func pipelining() async throws {
        try await RawConnection.with(RunningServer.shared) { connection in
            let blocks = (0..<10).map { Block(number: $0) }
            // The slow one first: the others may not overtake it.
            for (number, block) in blocks.enumerated() {
                let path = RunningServer.path(of: number == 0 ? "slow" : "blocks-v8")
                try await connection.post(path, .blocks(block))
            }
            for block in blocks {
                #expect(try await connection.answer().json(Prediction.self).detections == [block.detection])
            }
        }
    }
}
