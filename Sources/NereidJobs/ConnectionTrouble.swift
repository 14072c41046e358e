// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import NIOPosix
import NIOSSL

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Why a connection to another machine failed, in words that say where to look.
///
/// The network library's own errors print as nested Swift values.
public enum ConnectionTrouble: Error, Sendable, Equatable, CustomStringConvertible {
    /// The machine is there, and nothing listens on the port.
    case refused
    /// Nothing came back in time.
    case timedOut
    /// The machine's name has no address.
    case nameNotFound(String)
    /// There is no way to the address.
    case unreachable(reason: String)
    /// The connection was made and can't be secured.
    case tls(reason: String)
    /// The other side closed the connection too early.
    case closed
    /// Something else.
    case other(String)

    /// What happened.
    public var description: String {
        switch self {
        case .refused: "the connection was refused, nothing listens there"
        case .timedOut: "nothing came back in time"
        case .nameNotFound(let host): "the name ‘\(host)’ is not known"
        case .unreachable(let reason): "there is no way to it (\(reason))"
        case .tls(let reason): "the TLS connection failed: \(reason)"
        case .closed: "the connection was closed before the answer came"
        case .other(let reason): reason
        }
    }

    /// Sorts an error of the network library.
    public init(_ error: any Error) {
        switch error {
        case let trouble as ConnectionTrouble: self = trouble
        case let error as NIOConnectionError: self.init(error)
        case let error as IOError: self.init(code: error.errnoCode)
        case ChannelError.connectTimeout: self = .timedOut
        case ChannelError.eof, ChannelError.ioOnClosedChannel, ChannelError.inputClosed, ChannelError.outputClosed,
            ChannelError.alreadyClosed:
            self = .closed
        case let error as SocketAddressError.UnknownHost: self = .nameNotFound(error.host)
        case NIOSSLError.handshakeFailed(let reason): self = .tls(reason: Self.words(for: "\(reason)"))
        case NIOSSLError.uncleanShutdown: self = .closed
        case NIOSSLError.unableToValidateCertificate, NIOSSLError.noCertificateToValidate:
            self = .tls(reason: Self.untrusted)
        case let error as NIOSSLExtraError where error == .failedToValidateHostname:
            self = .tls(reason: "the server's certificate is for another name")
        case is NIOSSLError, is NIOSSLExtraError, is BoringSSLError: self = .tls(reason: Self.words(for: "\(error)"))
        default: self = .other("\(error)")
        }
    }

    /// Several addresses may have been tried; the one that answered at all says most.
    private init(_ error: NIOConnectionError) {
        let troubles = error.connectionErrors.map { ConnectionTrouble($0.error) }
        if let first = troubles.first {
            self = troubles.contains(.refused) ? .refused : troubles.contains(.timedOut) ? .timedOut : first
        } else {
            self = .nameNotFound(error.host)
        }
    }

    private init(code: CInt) {
        let reason = String(cString: strerror(code))
        switch code {
        case ECONNREFUSED: self = .refused
        case ETIMEDOUT: self = .timedOut
        case ECONNRESET, EPIPE, ECONNABORTED, ENOTCONN: self = .closed
        case EHOSTUNREACH, ENETUNREACH, EHOSTDOWN, ENETDOWN, EADDRNOTAVAIL: self = .unreachable(reason: reason)
        default: self = .other(reason)
        }
    }

    private static let untrusted =
        "the server's certificate is not trusted on this machine; install the authority that issued it"

    private static func words(for reason: String) -> String {
        if reason.contains("CERTIFICATE_VERIFY_FAILED") { return untrusted }
        if reason.contains("WRONG_VERSION_NUMBER") || reason.contains("HTTP_REQUEST") {
            return "the server there does not speak TLS"
        }
        return reason
    }
}
