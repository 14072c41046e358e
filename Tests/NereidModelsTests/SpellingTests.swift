// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidModels
import Testing

@Suite("Spelling")
struct SpellingTests {
    @Test(
        "counts letters that differ",
        arguments: [
            ("", "", 0), ("a", "", 1), ("predict", "predict", 0), ("predcit", "predict", 1), ("kitten", "sitting", 3),
            ("iou", "conf", 3), ("ca", "abc", 3),
        ]
    )
    func distance(first: String, second: String, distance: Int) {
        #expect(Spelling.distance(first, second) == distance)
        #expect(Spelling.distance(second, first) == distance)
    }

    @Test("suggests words that are begun, mistyped, or begin alike; the likeliest first")
    func suggestions() {
        let options = [
            "confidence", "iou", "config", "cache", "max-detections", "max-picture-bytes", "top-k", "format",
        ]
        func suggestions(_ word: String) -> [String] { Spelling.suggestions(for: word, among: options) }
        #expect(suggestions("conf") == ["config", "confidence"])
        #expect(suggestions("confi") == ["config", "confidence"])
        #expect(suggestions("confidnce") == ["confidence"])
        #expect(Set(suggestions("conf-thres")) == ["config", "confidence"])
        #expect(suggestions("iou-thres") == ["iou"])
        #expect(suggestions("max") == ["max-detections", "max-picture-bytes"])
        #expect(suggestions("max-det") == ["max-detections", "max-picture-bytes"])
        #expect(suggestions("formt") == ["format"])
        #expect(suggestions("whale").isEmpty)
        #expect(suggestions("").isEmpty)
    }
}
