// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import HTTPTypes
import HummingbirdTesting
import NIOCore
import Testing

@testable import NereidServer

@Suite("The older server's calls")
struct CompatibleRouteTests {
    static let predictorPaths = ["/predictor", "/predictor/", "/model/v1/predictor", "/model/v1/predictor/"]
    static let predictPaths = ["/predict", "/predict/", "/model/v1/predict", "/model/v1/predict/"]

    @Test("answer under every path that clients have", arguments: predictorPaths)
    func predictor(path: String) async throws {
        try await TestServer(["a=blocks-v5", "b=blocks-v8"]).test { client in
            let form = Form().field("model_type", "b").file("reef.png", try TestPicture.blocks())
            try await client.execute(uri: path, method: .post, headers: Form.headers, body: form.body) {
                #expect($0.status == .ok)
                let json = $0.json
                #expect(json.keys == ["predictions", "success"])
                #expect(json.success == true)
                #expect(json.predictions[0].keys == ["bbox", "category_id", "scores"])
                #expect(json.predictions.elements.map(\.category_id) == ["red", "green"])
                #expect(json.predictions[0].bbox == PredictRouteTests.red)
                #expect(json.predictions[0].scores == [1])
            }
        }
    }

    @Test("say of an error what it is in the shape that clients know")
    func predictorErrors() async throws {
        try await TestServer().test { client in
            let picture = try TestPicture.blocks()
            let samples: [(Form, HTTPResponse.Status, String)] = [
                (Form().file("a.png", picture), .badRequest, "‘model_type’"),
                (Form().field("model_type", "cod").file("a.png", picture), .notFound, "‘cod’ not found"),
                (Form().field("model_type", "blocks"), .badRequest, "‘file’"),
                (
                    Form().field("model_type", "blocks").field("model_type", "b").file("a.png", picture), .badRequest,
                    "‘model_type’ is given 2 times"
                ),
                (
                    Form().field("model_type", "blocks").file("a.png", ByteBuffer()), .unsupportedMediaType,
                    "the file is empty"
                ),
                (
                    Form().field("model_type", "blocks").file("a.txt", ByteBuffer(string: "x")), .unsupportedMediaType,
                    "not a picture"
                ),
                (
                    Form().field("model_type", "blocks").file("a.png", picture).file("b.png", picture), .badRequest,
                    "takes one picture, but 2 were sent"
                ),
            ]
            for (form, status, words) in samples {
                try await client.execute(uri: "/predictor", method: .post, headers: Form.headers, body: form.body) {
                    #expect($0.status == status)
                    let json = $0.json
                    #expect(json.keys == ["error", "predictions", "success"])
                    #expect((json.success, json.predictions) == (false, []))
                    #expect(json.error.string?.contains(words) == true, "\(json.error)")
                }
            }
        }
    }

    @Test("answer with concepts for the first model, or the one that is the default", arguments: predictPaths)
    func concepts(path: String) async throws {
        for (defaultModel, label) in [(nil, "red"), ("b", "red")] as [(String?, JSON)] {
            let server = try await TestServer(["a=blocks-v5", "b=blocks-v8"]) { $0.defaultModel = defaultModel }
            try await server.test { client in
                let form = Form().file("reef.png", try TestPicture.blocks())
                try await client.execute(uri: path, method: .post, headers: Form.headers, body: form.body) {
                    #expect($0.status == .ok)
                    let first = $0.json[0]
                    #expect(first.keys == ["concept", "height", "probability", "width", "x", "y"])
                    #expect(first.concept == label)
                    #expect((first.x, first.y, first.width, first.height) == (16, 32, 16, 16))
                    #expect(first.probability == 1)
                }
            }
        }
    }

    @Test("ask the default model even when it is not there")
    func missingDefault() async throws {
        try await TestServer { $0.defaultModel = "cod" }.test { client in
            let form = Form().file("reef.png", try TestPicture.blocks())
            try await client.execute(uri: "/predict", method: .post, headers: Form.headers, body: form.body) {
                #expect($0.status == .notFound)
                #expect($0.json.code == "model_not_found")
            }
        }
    }
}
