// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidJobs

@Suite("traceparent")
struct TraceParentTests {
    static let valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    @Test(
        "is read in version 00, and in later ones as far as they are known",
        arguments: [
            valid, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-the-future-will-be-like",
        ]
    )
    func read(value: String) throws {
        let trace = try #require(TraceParent(value))
        #expect(trace.description == value)
        #expect(trace.traceID == "0af7651916cd43dd8448eb211c80319c")
    }

    @Test(
        "is refused where W3C Trace Context says so",
        arguments: [
            "", "00", valid.uppercased(), valid + "-", valid + "-01", valid + " ", " " + valid, valid + "\n",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "0g-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x",
            "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319-cb7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.future",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-a b",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-\u{1B}[31m",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-ä",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-" + String(repeating: "x", count: 500),
        ]
    )
    func refused(value: String) {
        #expect(TraceParent(value) == nil)
    }

    /// Gives the same number each time.
    private struct Fixed: RandomNumberGenerator {
        mutating func next() -> UInt64 { 0x1234 }
    }

    @Test("is sent on with an id of its own, in version 00")
    func child() throws {
        var generator = Fixed()
        let later = "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff-more"
        let child = try #require(TraceParent(later)).child(using: &generator)
        #expect(child.description.hasPrefix("00-0af7651916cd43dd8448eb211c80319c-0000"))
        #expect(child.description.hasSuffix("-01"))
        #expect(TraceParent(child.description) == child)
        let other = try #require(TraceParent(Self.valid.dropLast(2) + "02")).child()
        #expect(other.description.hasSuffix("-00"))
        #expect(!other.description.contains("b7ad6b7169203331"))
        #expect(TraceParent(other.description) == other)
    }
}
