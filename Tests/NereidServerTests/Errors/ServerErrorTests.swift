// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NIOCore
import Testing

@testable import NereidServer

@Suite("Server errors")
struct ServerErrorTests {
    static let causes: [(errno: CInt, error: ServerError?)] = [
        (EADDRINUSE, .portInUse(host: "::1", port: 80)),
        (EACCES, .portForbidden(port: 80)),
        (EADDRNOTAVAIL, .addressUnavailable(host: "::1")),
        (EIO, nil),
    ]

    @Test("tell the ways in which listening fails from everything else", arguments: causes)
    func mapping(errno: CInt, error: ServerError?) {
        #expect(ServerError(IOError(errnoCode: errno, reason: "bind"), host: "::1", port: 80) == error)
        #expect(ServerError(CancellationError(), host: "::1", port: 80) == nil)
    }

    static let texts: [(ServerError, [String])] = [
        (.portInUse(host: "127.0.0.1", port: 8080), ["port 8080 on 127.0.0.1 is in use", "--port"]),
        (.portForbidden(port: 80), ["port 80", "below 1024", "--port"]),
        (.addressUnavailable(host: "reef"), ["‘reef’", "127.0.0.1", "--host"]),
    ]

    @Test("say what happened, to what, and what to do", arguments: texts)
    func text(error: ServerError, parts: [String]) {
        for part in parts { #expect(error.description.contains(part)) }
    }
}
