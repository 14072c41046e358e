// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Logging
import NIOCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Keeps a listener alive when a connection can't be accepted, because no more files may be open or the client has gone: such an
/// error would otherwise end the server. The next one is tried after a moment.
final class AcceptErrors: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny
    typealias InboundOut = NIOAny
    typealias OutboundIn = NIOAny
    typealias OutboundOut = NIOAny

    private static let pause = TimeAmount.milliseconds(100)
    private static let passing: Set<CInt> = [EMFILE, ENFILE, ENOBUFS, ENOMEM, ECONNABORTED, EPROTO, EPERM]

    private let logger: Logger
    private var isPausing = false
    private var readIsPending = false
    private var hasComplained = false

    init(logger: Logger) {
        self.logger = logger
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let code = (error as? IOError)?.errnoCode, Self.passing.contains(code) else {
            context.fireErrorCaught(error)
            return
        }
        if !hasComplained {
            hasComplained = true
            logger.warning(
                "a connection can't be accepted; raise the limit of open files (ulimit -n, LimitNOFILE=)",
                metadata: ["error": "\(error)"]
            )
        }
        guard !isPausing else { return }
        isPausing = true
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.pause) {
            self.isPausing = false
            guard self.readIsPending else { return }
            self.readIsPending = false
            context.read()
        }
    }

    func read(context: ChannelHandlerContext) {
        if isPausing { readIsPending = true } else { context.read() }
    }
}
