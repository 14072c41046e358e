// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Synchronization

/// A webhook on this machine that answers as the test says, and keeps what it was told.
struct WebhookReceiver {
    struct Message: Sendable {
        let path: String
        let headers: HTTPFields
        let body: ByteBuffer
    }

    let port: Int
    private let kept: Kept

    final class Kept: Sendable {
        let messages = Mutex<[Message]>([])
    }

    var messages: [Message] { kept.messages.withLock { $0 } }

    /// Listens while the body runs.
    ///
    /// - Parameter answer: what to say to the message of this number, from 0.
    static func with<Value: Sendable>(
        answer: @escaping @Sendable (Int) async throws -> Response,
        _ body: @escaping @Sendable (WebhookReceiver) async throws -> Value
    ) async throws -> Value {
        let kept = Kept()
        let router = Router()
        let take: @Sendable (Request, BasicRequestContext) async throws -> Response = { request, _ in
            let body = try await request.body.collect(upTo: 1 << 20)
            let number = kept.messages.withLock { messages in
                messages.append(Message(path: request.uri.string, headers: request.headers, body: body))
                return messages.count - 1
            }
            return try await answer(number)
        }
        for path in ["/", "**"] as [RouterPath] { router.post(path, use: take) }
        let (ports, continuation) = AsyncStream<Int>.makeStream()
        let application = Application(
            router: router,
            configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { continuation.yield($0.localAddress?.port ?? 0) },
            logger: TestServer.logger
        )
        return try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask {
                try? await application.run()
                return nil
            }
            var iterator = ports.makeAsyncIterator()
            let port = await iterator.next() ?? 0
            group.addTask { try await body(WebhookReceiver(port: port, kept: kept)) }
            defer { group.cancelAll() }
            while let value = try await group.next() {
                if let value { return value }
            }
            throw CancellationError()
        }
    }
}
