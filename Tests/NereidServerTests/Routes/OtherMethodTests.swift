// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import HTTPTypes
import HummingbirdTesting
import NIOCore
import Testing

@testable import NereidServer

@Suite("Methods that a path does not have")
struct OtherMethodTests {
    static let paths = [
        ("/v1/models/blocks/predict", "OPTIONS, POST"), ("/v1/models/none/jobs", "OPTIONS, POST"),
        ("/v1/models", "GET, HEAD, OPTIONS"), ("/v1/models/blocks/", "GET, HEAD, OPTIONS"),
        ("/v1/jobs", "GET, HEAD, OPTIONS"), ("/v1/jobs/x", "DELETE, GET, HEAD, OPTIONS"),
        ("/v1/jobs/x/events", "GET, HEAD, OPTIONS"), ("/predictor", "OPTIONS, POST"),
        ("/predictor/", "OPTIONS, POST"), ("/predict", "OPTIONS, POST"), ("/model/v1/predictor", "OPTIONS, POST"),
        ("/model/v1/predict", "OPTIONS, POST"), ("/", "GET, HEAD, OPTIONS"), ("/web/main.js", "GET, HEAD, OPTIONS"),
        ("/health/live", "GET, HEAD, OPTIONS"), ("/health/ready", "GET, HEAD, OPTIONS"),
        ("/metrics", "GET, HEAD, OPTIONS"),
    ]

    @Test("are refused with those that it has", arguments: paths)
    func refused(path: String, allowed: String) async throws {
        try await TestServer().test { client in
            let methods: [HTTPRequest.Method] = [.get, .head, .post, .put, .patch, .delete, .init("PROPFIND")!]
            for method in methods where !allowed.split(separator: ", ").contains(Substring(method.rawValue)) {
                try await client.execute(uri: path, method: method, body: ByteBuffer(string: "x")) {
                    #expect($0.status == .methodNotAllowed, "\(method)")
                    #expect($0.headers[.allow] == allowed)
                    #expect($0.headers[.requestID] != nil)
                    guard method != .head else { return }
                    #expect($0.headers[.contentType] == "application/problem+json")
                    #expect($0.json.code == "method_not_allowed")
                    #expect($0.json.detail.string?.contains(allowed) == true)
                }
            }
        }
    }

    @Test("are told to a client that asks for them")
    func options() async throws {
        try await TestServer().test { client in
            for (path, allowed) in Self.paths {
                try await client.execute(uri: path, method: .options) {
                    #expect($0.status == .noContent)
                    #expect($0.headers[.allow] == allowed)
                }
            }
        }
    }

    @Test(
        "do not matter on a path that leads nowhere",
        arguments: ["/v2/models", "/v1", "/v1/models/blocks/predict/more", "/web/none.js", "/health"]
    )
    func nowhere(path: String) async throws {
        try await TestServer().test { client in
            for method in [HTTPRequest.Method.get, .post, .options, .delete] {
                try await client.execute(uri: path, method: method) {
                    #expect($0.status == .notFound)
                    #expect($0.json.code == "not_found")
                }
            }
        }
    }
}
