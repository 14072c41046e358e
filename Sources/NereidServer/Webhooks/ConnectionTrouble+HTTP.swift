// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import AsyncHTTPClient
import NIOHTTP1
public import NereidJobs

extension ConnectionTrouble {
    /// Sorts an error of an HTTP client.
    public init(http error: any Error) {
        switch error {
        case let error as HTTPClientError: self.init(error)
        case is HTTPParserError: self = .other("the server there does not speak HTTP; is it https instead of http?")
        case is CancellationError: self = .other("it was cancelled")
        default: self.init(error)
        }
    }

    private init(_ error: HTTPClientError) {
        switch error {
        case .connectTimeout, .deadlineExceeded, .readTimeout, .writeTimeout, .getConnectionFromPoolTimeout:
            self = .timedOut
        case .tlsHandshakeTimeout: self = .tls(reason: "the handshake did not end in time")
        case .remoteConnectionClosed, .uncleanShutdown: self = .closed
        default: self = .other(error.description)
        }
    }
}
