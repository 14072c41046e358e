// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import AsyncHTTPClient
import Foundation
import NIOCore
import NIOFoundationCompat
import NereidJobs
import NereidServer

/// A running server, asked over HTTP with connections kept alive.
struct ServerTarget: LoadTarget {
    private let client: HTTPClient
    private let url: String
    private let pictures: [ByteBuffer]

    init(url base: String, model: String?, pictures: [ByteBuffer]) async throws {
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 10_000
        // A connection that is refused is a result, not something to try again for ten seconds.
        configuration.connectionPool.retryConnectionEstablishment = false
        client = HTTPClient(configuration: configuration)
        self.pictures = pictures
        let base = base.hasSuffix("/") ? String(base.dropLast()) : base
        do {
            let name = if let model { model } else { try await Self.firstModel(client, base) }
            let path = name.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? name
            url = "\(base)/v1/models/\(path)/predict"
        } catch {
            try? await client.shutdown()
            throw error
        }
    }

    func close() async throws {
        try await client.shutdown()
    }

    func request(_ index: Int) async -> String {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.body = .bytes(pictures[index % pictures.count])
        do {
            let response = try await client.execute(request, timeout: .seconds(120))
            _ = try await response.body.collect(upTo: 64 << 20)
            return response.status == .ok ? "ok" : "\(response.status.code)"
        } catch {
            return ConnectionTrouble(http: error).description
        }
    }

    private struct ModelList: Decodable {
        struct Model: Decodable {
            let name: String
        }

        let models: [Model]
    }

    private static func reason(_ error: any Error) -> String {
        error is DecodingError ? "its answer is not a list of models" : ConnectionTrouble(http: error).description
    }

    private static func firstModel(_ client: HTTPClient, _ base: String) async throws -> String {
        do {
            let response = try await client.execute(HTTPClientRequest(url: "\(base)/v1/models"), timeout: .seconds(10))
            let body = try await response.body.collect(upTo: 16 << 20)
            let list = try JSONDecoder().decode(ModelList.self, from: body)
            guard let first = list.models.first else { throw CommandFailure("the server at \(base) serves no model") }
            return first.name
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            throw CommandFailure("no Nereid server answers at \(base): \(Self.reason(error))")
        }
    }
}
