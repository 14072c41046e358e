// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

/// Lets the suites run one after another, though not the tests within them: each suite starts servers, and some put them
/// under load or measure time.
struct TurnTrait: SuiteTrait, TestScoping {
    private static let turns = Turns()

    func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @Sendable () async throws -> Void
    ) async throws {
        await Self.turns.take()
        let result: Result<Void, any Error>
        do {
            result = .success(try await function())
        } catch {
            result = .failure(error)
        }
        await Self.turns.pass()
        try result.get()
    }
}

extension Trait where Self == TurnTrait {
    /// The suite waits until no other one with this trait is running.
    static var inTurn: Self { Self() }
}

/// Who may go, first come, first served.
private actor Turns {
    private var isTaken = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    func take() async {
        if isTaken {
            await withCheckedContinuation { waiting.append($0) }
        } else {
            isTaken = true
        }
    }

    func pass() {
        if waiting.isEmpty {
            isTaken = false
        } else {
            waiting.removeFirst().resume()
        }
    }
}
