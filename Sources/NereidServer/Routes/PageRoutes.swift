// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import HTTPTypes
import Hummingbird
import NIOCore
import NereidPage

/// `GET /` and the files that the page loads.
struct PageRoutes {
    /// Nothing but what this server sends itself may run on the page or be reached from it.
    private static let policy = """
        default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; \
        form-action 'none'; base-uri 'none'; frame-ancestors 'none'
        """

    func add(to router: Router<ServerContext>) {
        router.get("/") { _, _ in response(PageFile.index) }
        for file in PageFile.assets {
            router.get(RouterPath("/web/\(file.name)")) { _, _ in response(file) }
        }
    }

    private func response(_ file: PageFile) -> Response {
        Response(
            status: .ok,
            headers: [
                .contentType: file.mediaType,
                // The files change with the server only, and are small: always ask, never guess.
                .cacheControl: "no-cache",
                .contentSecurityPolicy: Self.policy,
                .contentTypeOptions: "nosniff",
                .referrerPolicy: "no-referrer",
            ],
            body: .init(byteBuffer: ByteBuffer(bytes: file.bytes))
        )
    }
}
