// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidCheckpoints

@Suite("Metadata of converted graphs")
struct GraphMetadataTests {
    @Test("labels become a Python dictionary whatever they contain")
    func labels() {
        let labels = ["person", "it's", "a\\b", "line\nbreak", "\0", "\u{202E}", "Ähre", "🐟"]
        #expect(
            GraphMetadata.pythonDictionary(labels)
                == #"{0: 'person', 1: 'it\'s', 2: 'a\\b', 3: 'line\nbreak', 4: '\x00', 5: '\u202e', 6: 'Ähre', 7: '🐟'}"#
        )
        #expect(GraphMetadata.pythonDictionary([]) == "{}")
    }
}
