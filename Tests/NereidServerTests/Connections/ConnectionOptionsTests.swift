// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidServer

@Suite("The options of a connection")
struct ConnectionOptionsTests {
    @Test(
        "are read in any case, from one line or several",
        arguments: [
            ([], false, false), (["close"], true, false), (["Close"], true, false), (["CLOSE"], true, false),
            (["keep-alive"], false, true), (["Keep-Alive"], false, true), (["keep-alive, close"], true, true),
            (["close, keep-alive"], true, true), (["keep-alive", "close"], true, true), ([" \t close \t"], true, false),
            (["upgrade,close"], true, false), (["closed"], false, false), (["not-close"], false, false),
            (["", ",", " , "], false, false), (["te,,close"], true, false),
        ] as [([String], Bool, Bool)]
    )
    func tokens(values: [String], closes: Bool, keepsAlive: Bool) {
        let options = ConnectionOptions(values)
        #expect((options.closes, options.keepsAlive) == (closes, keepsAlive))
    }

    @Test("decide by version whether the connection goes on, and close has the last word")
    func persistence() {
        func persists(_ values: [String], isHTTP10: Bool) -> Bool {
            ConnectionOptions(values).persists(isHTTP10: isHTTP10)
        }
        for (values, in11, in10) in [
            ([], true, false), (["keep-alive"], true, true), (["close"], false, false),
            (["keep-alive, close"], false, false), (["close", "keep-alive"], false, false),
        ] as [([String], Bool, Bool)] {
            #expect(persists(values, isHTTP10: false) == in11, "\(values)")
            #expect(persists(values, isHTTP10: true) == in10, "\(values)")
        }
    }
}
