// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Why a server can't listen.
public enum ServerError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Another program has the port.
    case portInUse(host: String, port: Int)
    /// The system does not let this user have the port.
    case portForbidden(port: Int)
    /// The machine has no such address.
    case addressUnavailable(host: String)

    /// What happened, to what, and what to do.
    public var description: String {
        switch self {
        case .portInUse(let host, let port):
            "port \(port) on \(host) is in use: another program listens there. Stop it, or choose another with --port"
        case .portForbidden(let port):
            "port \(port) is not for this user: ports below 1024 need a privilege. Choose another with --port"
        case .addressUnavailable(let host):
            "this machine has no address ‘\(host)’. Use 127.0.0.1 for this machine only, 0.0.0.0 for all its addresses (--host)"
        }
    }

    /// The same error in words that help, when it is one of these.
    init?(_ error: any Error, host: String, port: Int) {
        if error is SocketAddressError || error is SocketAddressError.UnknownHost {
            self = .addressUnavailable(host: host)
            return
        }
        switch (error as? IOError)?.errnoCode {
        case EADDRINUSE: self = .portInUse(host: host, port: port)
        case EACCES: self = .portForbidden(port: port)
        case EADDRNOTAVAIL: self = .addressUnavailable(host: host)
        default: return nil
        }
    }
}
