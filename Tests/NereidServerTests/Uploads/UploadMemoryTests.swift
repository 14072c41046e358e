// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidServer

@Suite("Memory of uploads")
struct UploadMemoryTests {
    @Test("is shared by all, and given back by each")
    func sharing() throws {
        let memory = UploadMemory(limit: 100)
        var one: UploadMemory.Share? = memory.share()
        let other = memory.share()
        try one?.grow(by: 40)
        try one?.grow(by: 20)
        try other.grow(by: 40)
        #expect(memory.byteCount == 100)
        #expect(throws: UploadError.memoryFull(limit: 100)) { try other.grow(by: 1) }
        #expect(memory.byteCount == 100)
        one = nil
        #expect(memory.byteCount == 40)
        try other.grow(by: 60)
    }
}
