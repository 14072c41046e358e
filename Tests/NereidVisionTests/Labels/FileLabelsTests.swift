// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import TestSupport
import Testing

@testable import NereidVision

@Suite("Labels in a file's metadata")
struct FileLabelsTests {
    @Test(
        "are read in every form that exporters and people write",
        arguments: [
            "{0: 'red', 1: 'green', 2: 'blue'}", "{2: 'blue', 0: 'red', 1: 'green'}", "['red', 'green', 'blue']",
            "{\"0\": \"red\", \"1\": \"green\", \"2\": \"blue\"}", "{'0': 'red', '1': 'green', '2': 'blue'}",
            "[\"red\",\"green\",\"blue\"]", "('red', 'green', 'blue')",
            "OrderedDict([(0, 'red'), (1, 'green'), (2, 'blue')])",
            "collections.OrderedDict({0: 'red', 1: 'green', 2: 'blue'})",
            "{0: np.str_('red'), 1: np.str_('green'), 2: np.str_('blue')}",
            "array(['red', 'green', 'blue'], dtype='<U5')", "{'red': 0, 'blue': 2, 'green': 1}",
            "red,green,blue", " red , green , blue ", "'red,green,blue'", "red\ngreen\nblue\n", "red\r\ngreen\r\nblue",
            "names:\n  0: red\n  1: green\n  2: blue\n", "- red\n- 'green'\n- \"blue\"", "0: red, 1: green, 2: blue",
        ]
    )
    func forms(text: String) throws {
        let labels = try #require(FileLabels(text))
        #expect(labels.names == [0: "red", 1: "green", 2: "blue"])
        #expect(labels.count == 3)
        #expect(labels.labels(classes: 3).labels.names == ["red", "green", "blue"])
        #expect(labels.labels(classes: 3).warning == nil)
        #expect(labels.labels(classes: 0).labels.names == ["red", "green", "blue"])
    }

    @Test("may be none, numbers, or in any script")
    func values() {
        #expect(FileLabels("{}")?.names == [:])
        #expect(FileLabels("[1, 2.5]")?.names == [0: "1", 1: "2.5"])
        #expect(FileLabels("Seegurke, 海鼠")?.names == [0: "Seegurke", 1: "海鼠"])
        #expect(FileLabels("fish (red), fish (blue)")?.names == [0: "fish (red)", 1: "fish (blue)"])
    }

    @Test("of one word are the name of the only class, and tell no layout")
    func word() {
        let labels = FileLabels("urchin")
        #expect(labels?.names == [0: "urchin"])
        #expect(labels?.count == nil)
        #expect(labels?.labels(classes: 1).labels.names == ["urchin"])
        #expect(labels?.labels(classes: 1).warning == nil)
        #expect(labels?.labels(classes: 2).labels.names == ["class 0", "class 1"])
        #expect(labels?.labels(classes: 2).warning?.contains("one word") == true)
        #expect(FileLabels("['urchin']")?.count == 1)
    }

    @Test("with a gap keep their numbers; the class without a name is numbered, and that is said")
    func gaps() {
        for text in ["{0: 'a', 2: 'c'}", "{\"0\": \"a\", \"2\": \"c\"}", "0: a\n2: c"] {
            let labels = FileLabels(text)
            #expect(labels?.count == nil)
            #expect(labels?.labels(classes: 3).labels.names == ["a", "class 1", "c"])
            #expect(labels?.labels(classes: 3).warning == "name 2 of 3 classes; class 1 has no name")
        }
    }

    @Test("that count from 1, or beyond the model's classes, name none of them")
    func beyond() {
        let labels = FileLabels("{1: 'a', 2: 'b'}")
        #expect(labels?.count == nil)
        #expect(labels?.labels(classes: 2).labels.names == ["class 0", "class 1"])
        #expect(
            labels?.labels(classes: 2).warning == "name class 2, but the model has 2 classes; the classes are numbered"
        )
    }

    @Test(
        "that are not whole are not read",
        arguments: [
            "", "  ", "{0: ['a']}", "['a', None]", "{0: 'a', '0': 'b'}", "{'x': 'a'}", "{-1: 'a'}", "{0: 'a'", "[red",
            "dict(a=1)", "{'a': 0, 'b': 0}", "red,,green", "None", "3", "<class 'dict'>", "a\u{1}b, c", "0: a\n0: b",
            "{9999999: 'a'}", "names = red",
        ]
    )
    func unreadable(text: String) {
        #expect(FileLabels(text) == nil)
    }
}

@Suite("Names of classes")
struct ClassNamesTests {
    @Test("come from the settings, else the file, else numbers; what can't be read is said")
    func order() {
        let metadata = ["names": "{0: 'a', 1: 'b'}", "labels": "x,y"]
        #expect(ClassNames(given: ["c"], metadata: metadata).labels(classes: 2).labels.names == ["c"])
        #expect(ClassNames(given: nil, metadata: metadata).labels(classes: 2).labels.names == ["a", "b"])
        #expect(ClassNames(given: nil, metadata: metadata).count == 2)
        #expect(ClassNames(given: nil, metadata: ["class_names": "x,y"]).labels(classes: 2).labels.names == ["x", "y"])
        let nothing = ClassNames(given: nil, metadata: [:]).labels(classes: 2)
        #expect(nothing.labels.names == ["class 0", "class 1"])
        #expect(nothing.warning == nil)
        let broken = ClassNames(given: nil, metadata: ["names": "{0: 'a'"])
        #expect(broken.count == nil)
        #expect(broken.labels(classes: 2).labels.names == ["class 0", "class 1"])
        #expect(
            broken.labels(classes: 2).warning
                == "the metadata's ‘names’ can't be read (‘{0: 'a'’); the classes are numbered. "
                + "Name them with ‘labels’ in the model's settings"
        )
        #expect(ClassNames(given: ["c"], metadata: ["names": "{0: 'a'"]).labels(classes: 1).warning == nil)
    }
}

@Suite("Metadata")
struct MetadataCheckTests {
    static let sound = [
        "nereid.layout": "yolov5.maps", "nereid.anchors": "[[[10.0,0.0],[16,30]],[[1,2],[3,4]]]",
        "nereid.suppression": "nms",
        "stride": "32", "imgsz": "[640, 640]", "task": "detect", "names": "{0: 'a'}", "nereid.mean": "[1,2,3]",
    ]

    @Test("that can be read pass, with what the converter has said")
    func sound() throws {
        #expect(try MetadataCheck(Self.sound, model: "m").warnings.isEmpty)
        let warned = Self.sound.merging(["nereid.warnings": "['one', \"it's\"]"]) { $1 }
        #expect(try MetadataCheck(warned, model: "m").warnings == ["one", "it's"])
    }

    @Test(
        "of a converted graph that can't be read are an error that names them",
        arguments: [
            ("nereid.layout", "yolov9.maps"), ("nereid.anchors", "[[[10.0,-1.0],[16,30]]]"),
            ("nereid.anchors", "[[[10.0],[16,30]]]"), ("nereid.anchors", "[[[10.0,'a'],[16,30]]]"),
            ("nereid.anchors", "[[[10.0,1,2]]]"), ("nereid.anchors", "[10, 13]"), ("nereid.suppression", "maybe"),
            ("stride", "big"), ("stride", "[8, 'x']"), ("imgsz", "[640, None]"), ("task", "dance"),
            ("names", "{0: 'a'"),
            ("nereid.mean", "[1,2]"), ("nereid.std", "[1,0,1]"), ("nereid.shortest_edge", "[800]"),
            ("nereid.channels", "grb"), ("kpt_shape", "17"), ("nereid.scores", "tanh"), ("nereid.preprocess", "keras"),
        ]
    )
    func own(key: String, value: String) {
        let error = #expect(throws: VisionError.self) {
            try MetadataCheck(Self.sound.merging([key: value]) { $1 }, model: "m")
        }
        #expect(error?.description.contains("‘\(key)’ = ‘\(value)’") == true)
    }

    @Test("of other exporters are warned of", arguments: ["stride", "imgsz", "task", "kpt_shape"])
    func foreign(key: String) throws {
        #expect(try MetadataCheck([key: "?"], model: "m").warnings.count == 1)
        #expect(try MetadataCheck(["names": "?"], model: "m").warnings.isEmpty)
    }

    @Test("give each anchor its sides, 0 among them, and drop none")
    func anchors() throws {
        func anchors(_ text: String) throws -> [[SIMD2<Float>]] {
            let metadata = ["nereid.anchors": text]
            return try HeadEvidence(outputs: [], input: .init(width: 1, height: 1), labelCount: nil, metadata: metadata)
                .mapAnchors(levels: 1)
        }
        #expect(try anchors("[[[10,0],[0,30]]]") == [[SIMD2(10, 0), SIMD2(0, 30)]])
        // One of two used to be left out, and the network was read with half its channels.
        #expect(throws: HeadMisfit.self) { try anchors("[[[10,-1],[16,30]]]") }
        #expect(throws: HeadMisfit.self) { try anchors("[[[10,'x'],[16,30]]]") }
    }
}
