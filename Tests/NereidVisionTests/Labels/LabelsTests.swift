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

    static let requests: [(texts: [String], numbers: Set<Int>?)] = [
        (["red"], [0]),
        (["sea star, red"], [1]),
        ([" sea star, red "], [1]),
        (["sea star, red", "red"], [0, 1]),
        (["red,3"], [0, 2]),
        (["3"], [2]),
        (["4"], [4]),
        (["1"], [1]),
        ([" red ,, 4 "], [0, 4]),
        (["red,red", "0"], [0]),
        (["a,b"], [3]),
        (["a", "b"], [5, 4]),
        ([], []),
        (["red,sea star, red"], nil),
        (["6"], nil),
        (["-1"], nil),
        ([""], nil),
        ([" , "], nil),
        (["red", "blue"], nil),
    ]

    @Test("are found by a whole name before a list, and by name before number", arguments: requests)
    func asked(texts: [String], numbers: Set<Int>?) {
        let labels = Labels(["red", "sea star, red", "3", "a,b", "b", "a"])
        #expect((try? labels.classIDs(named: texts, model: "m")) == numbers)
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
