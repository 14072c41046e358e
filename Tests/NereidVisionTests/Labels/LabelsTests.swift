// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidVision

@Suite("Labels")
struct LabelsTests {
    @Test("name classes beyond the last one by their number")
    func beyond() {
        let labels = Labels(["urchin"])
        #expect((labels[0], labels[1], labels[-1]) == ("urchin", "class 1", "class -1"))
        #expect(Labels.numbered(2).names == ["class 0", "class 1"])
        #expect(Labels.numbered(0).count == 0)
    }

    @Test("may be called otherwise, several of them alike")
    func renamed() {
        let labels = Labels(["Strongylocentrotus", "Echinus", "Asterias"])
            .renamed(["Strongylocentrotus": "urchin", "Echinus": "urchin", "Gadus": "cod"])
        #expect(labels.names == ["urchin", "urchin", "Asterias"])
        #expect(labels.classIDs(named: "urchin") == [0, 1])
        #expect(labels.classIDs(named: "cod").isEmpty)
    }
}
