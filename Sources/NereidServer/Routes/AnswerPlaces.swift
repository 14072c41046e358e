// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Synchronization

/// Bounds how many large answers are made at one time.
final class AnswerPlaces: Sendable {
    /// How many there are.
    let count: Int
    private let taken = Atomic(0)

    init(_ count: Int) {
        self.count = count
    }

    /// One of the places; it is free again when this value is gone, however the answer ended.
    final class Place: Sendable {
        private let places: AnswerPlaces

        fileprivate init(_ places: AnswerPlaces) {
            self.places = places
        }

        deinit { places.taken.subtract(1, ordering: .relaxed) }
    }

    /// Takes a place.
    ///
    /// - Throws: ``Problem`` when all are taken.
    func take() throws(Problem) -> Place {
        guard taken.add(1, ordering: .relaxed).newValue <= count else {
            taken.subtract(1, ordering: .relaxed)
            throw Problem(
                status: .serviceUnavailable,
                code: .tooManyReaders,
                detail:
                    "\(count) answers with results of jobs are being sent, which is as many as there may be at one time. "
                    + "Try again after the time in Retry-After",
                retryAfter: .seconds(1)
            )
        }
        return Place(self)
    }

    /// How many are taken.
    var inUse: Int { taken.load(ordering: .relaxed) }
}
