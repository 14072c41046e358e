// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import NIOEmbedded
import Testing

@testable import NereidServer

@Suite("What watches that an answer gets through")
struct SendingWatchTests {
    private let loop = EmbeddedEventLoop()

    @Test("an alarm rings once, when it is due, however often it was put off")
    func alarm() {
        var rings = 0
        let alarm = PatientAlarm(on: loop) { rings += 1 }
        alarm.set(in: .seconds(10))
        for _ in 0..<5 {
            loop.advanceTime(by: .seconds(9))
            alarm.set(in: .seconds(10))
        }
        #expect(rings == 0)
        loop.advanceTime(by: .seconds(10))
        #expect(rings == 1)
        loop.advanceTime(by: .seconds(100))
        #expect(rings == 1)
    }

    @Test("an alarm may be set earlier, stopped, and set again")
    func alarmChanges() {
        var rings = 0
        let alarm = PatientAlarm(on: loop) { rings += 1 }
        alarm.set(in: .seconds(10))
        alarm.set(in: .seconds(2))
        loop.advanceTime(by: .seconds(2))
        #expect(rings == 1)
        alarm.set(in: .seconds(10))
        alarm.stop()
        loop.advanceTime(by: .seconds(20))
        #expect(rings == 1)
        alarm.set(in: .seconds(1))
        loop.advanceTime(by: .seconds(1))
        #expect(rings == 2)
        alarm.set(in: .seconds(1))
        alarm.cancel()
        loop.advanceTime(by: .seconds(10))
        #expect(rings == 2)
    }

    @Test("nothing sent for the limit is a stall, and each piece that is sent starts it anew")
    func stall() {
        var stalls = 0
        let watch = SendingWatch(on: loop, limit: .seconds(10)) { stalls += 1 }
        let promises = (0..<3).map { _ in watch.write(promise: nil, on: loop) }
        loop.advanceTime(by: .seconds(9))
        promises[0].succeed()
        loop.advanceTime(by: .seconds(9))
        promises[1].succeed()
        loop.advanceTime(by: .seconds(9))
        #expect((stalls, watch.isSending) == (0, true))
        loop.advanceTime(by: .seconds(1))
        #expect(stalls == 1)
        promises[2].succeed()
        #expect(!watch.isSending)
    }

    @Test("further writes do not put a stall off, and nothing to send is none")
    func furtherWrites() {
        var stalls = 0
        let watch = SendingWatch(on: loop, limit: .seconds(10)) { stalls += 1 }
        loop.advanceTime(by: .seconds(30))
        #expect(stalls == 0)
        let promises = (0..<3).map { _ in
            loop.advanceTime(by: .seconds(3))
            return watch.write(promise: nil, on: loop)
        }
        loop.advanceTime(by: .seconds(4))
        #expect(stalls == 1)
        for promise in promises { promise.succeed() }
        loop.advanceTime(by: .seconds(30))
        #expect(stalls == 1)
    }

    @Test("large pieces go in slices that are the same bytes")
    func slices() {
        for count in [0, 1, SendingWatch.sliceBytes, SendingWatch.sliceBytes + 1, 5 * SendingWatch.sliceBytes] {
            let bytes = ByteBuffer(bytes: (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) })
            let slices = SendingWatch.slices(of: bytes)
            #expect(slices.count == max(1, (count + SendingWatch.sliceBytes - 1) / SendingWatch.sliceBytes))
            #expect(slices.allSatisfy { $0.readableBytes <= SendingWatch.sliceBytes })
            #expect(slices.reduce(into: ByteBuffer()) { $0.writeImmutableBuffer($1) } == bytes)
        }
    }
}
