// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import TestSupport
import Testing

@testable import NereidServer

@Suite("A look at certificates' files")
struct CertificateWatchTests {
    private typealias Watch = CertificateWatch<Int>

    @Test("does nothing while they are what is served")
    func unchanged() {
        var watch = Watch(served: 1)
        #expect(watch.look(1) == .nothing)
        #expect(watch.look(1) == .nothing)
    }

    @Test("loads what has changed, once")
    func changed() {
        var watch = Watch(served: 1)
        #expect(watch.look(2) == .load)
        watch.loaded(2)
        #expect(watch.look(2) == .nothing)
        #expect(watch.look(1) == .load)
    }

    @Test("tells of what can't be used when it is still so at the next look, and only then")
    func broken() {
        var watch = Watch(served: 1)
        #expect(watch.look(2) == .load)
        watch.failed(2, reason: "why")
        #expect(watch.look(2) == .report("why"))
        #expect(watch.look(2) == .nothing)
        #expect(watch.look(3) == .load)
    }

    @Test("says nothing of a key that comes a moment after its certificate")
    func oneAfterTheOther() {
        var watch = Watch(served: 1)
        #expect(watch.look(2) == .load)
        watch.failed(2, reason: "why")
        #expect(watch.look(3) == .load)
        watch.loaded(3)
        #expect(watch.look(3) == .nothing)
    }

    @Test("forgets a failure when the files are again what is served")
    func reverted() {
        var watch = Watch(served: 1)
        #expect(watch.look(2) == .load)
        watch.failed(2, reason: "why")
        #expect(watch.look(1) == .nothing)
        #expect(watch.look(2) == .load)
    }

    @Test("sees a file's content, permissions and place change, through links")
    func stamps() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("one", to: "first/a.pem")
        let link = folder.path("a.pem")
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "first/a.pem")
        let first = try #require(FileStamp(link))
        #expect(FileStamp(file) == first)
        #expect(FileStamp(folder.path("none")) == nil)

        try FileManager.default.setAttributes([.posixPermissions: 0o400], ofItemAtPath: file)
        let second = try #require(FileStamp(link))
        #expect(second != first)

        // As volumes of Kubernetes and certbot change: the link leads elsewhere.
        try folder.write("one", to: "second/a.pem")
        try folder.remove("a.pem")
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "second/a.pem")
        #expect(FileStamp(link) != second)
    }
}
