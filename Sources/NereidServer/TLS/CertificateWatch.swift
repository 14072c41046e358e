// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Decides from the state of the certificates' files what to do about them.
///
/// Certificate and key are two files, which change one after the other. What can't be used is therefore told of only when
/// the files look the same at the next look.
struct CertificateWatch<Stamps: Equatable & Sendable> {
    /// What to do.
    enum Action: Equatable {
        case nothing
        /// Read the files, and say whether they can be used.
        case load
        /// Tell why they can't.
        case report(String)
    }

    private struct Failure {
        let stamps: Stamps
        let reason: String
        var isReported = false
    }

    private var served: Stamps
    private var failure: Failure?

    /// - Parameter served: the files' state when what is served was read.
    init(served: Stamps) {
        self.served = served
    }

    /// One look at the files.
    mutating func look(_ stamps: Stamps) -> Action {
        if stamps == served {
            failure = nil
            return .nothing
        }
        guard let failure, failure.stamps == stamps else { return .load }
        guard !failure.isReported else { return .nothing }
        self.failure?.isReported = true
        return .report(failure.reason)
    }

    /// What was read in this state is served now.
    mutating func loaded(_ stamps: Stamps) {
        served = stamps
        failure = nil
    }

    /// What was read in this state can't be used.
    mutating func failed(_ stamps: Stamps, reason: String) {
        failure = Failure(stamps: stamps, reason: reason)
    }
}

/// Says once a day what there is to say of certificates that expire.
struct ExpiryReminder {
    private var lastTime: Date?

    /// - Parameter isNew: whether these are certificates of which nothing has been said yet.
    mutating func warnings(of certificates: [ServerCertificate], at now: Date, isNew: Bool) -> [String] {
        if !isNew, let lastTime, now.timeIntervalSince(lastTime) < 86_400 { return [] }
        lastTime = now
        return certificates.compactMap { $0.warning(at: now) }
    }
}
