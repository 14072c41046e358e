// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Logging
import NIOCore
import NIOEmbedded
import Synchronization
import Testing

@testable import NereidServer

@Suite("A listener")
struct AcceptErrorsTests {
    private let loop = EmbeddedEventLoop()

    @Test("lives on when no more files may be open, and accepts again after a moment")
    func passing() throws {
        let (channel, reads) = (EmbeddedChannel(loop: loop), Reads())
        let quiet = Logger(label: "tests", factory: { _ in SwiftLogNoOpLogHandler() })
        try channel.pipeline.syncOperations.addHandlers([reads, AcceptErrors(logger: quiet)])
        channel.pipeline.fireErrorCaught(IOError(errnoCode: EMFILE, reason: "accept"))
        try channel.throwIfErrorCaught()
        channel.read()
        #expect(reads.count == 0)
        loop.advanceTime(by: .milliseconds(100))
        #expect(reads.count == 1)
        channel.read()
        #expect(reads.count == 2)
        channel.pipeline.fireErrorCaught(IOError(errnoCode: EBADF, reason: "accept"))
        #expect(throws: IOError.self) { try channel.throwIfErrorCaught() }
    }

    @Test("may have as many files open as its user may")
    func openFiles() {
        let now = OpenFileLimit.raise(to: 1)
        #expect(now >= 1)
        #expect(OpenFileLimit.raise(to: now) == now)
    }

    private final class Reads: ChannelOutboundHandler, RemovableChannelHandler, Sendable {
        typealias OutboundIn = NIOAny

        private let number = Mutex(0)

        var count: Int { number.withLock { $0 } }

        func read(context: ChannelHandlerContext) { number.withLock { $0 += 1 } }
    }
}
