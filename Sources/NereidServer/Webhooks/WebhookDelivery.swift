// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NereidJobs

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Tells one webhook of one finished job.
struct WebhookDelivery: Sendable {
    let rules: WebhookAddressRules
    let secret: WebhookSecret
    let resolver: HostResolver
    let now: @Sendable () -> Date
    /// The longest time from the first byte sent to the answer's status.
    var timeout = TimeAmount.seconds(10)

    /// What came of it.
    enum Outcome: Sendable, Equatable {
        /// The webhook has answered with a status of success.
        case delivered
        /// It has not, this time.
        case failed(reason: String)
        /// It is not to be asked, now or later.
        case refused(reason: String)
    }

    /// Sends a notice once.
    func send(_ notice: BulkNotice) async -> Outcome {
        let target: WebhookTarget
        let addresses: [IPAddress]
        do {
            target = try WebhookTarget(notice.url)
            // What was allowed when the job was accepted may not be any more.
            try rules.check(target)
            addresses = try await self.addresses(of: target.host)
            try rules.check(addresses, of: target)
        } catch let error as WebhookAddressError {
            if case .unknownHost = error { return .failed(reason: error.description) }
            return .refused(reason: error.description)
        } catch {
            return .failed(reason: "its host could not be looked up")
        }
        let deadline = NIODeadline.now() + timeout
        var reason = ""
        // The connection goes to an address that was looked at; the next one only if none could be made.
        for address in addresses.prefix(4) {
            do {
                let status = try await post(notice, to: target, at: address, deadline: deadline)
                if (200..<300).contains(status) { return .delivered }
                let isRedirect = (300..<400).contains(status)
                return .failed(reason: "it answered \(status)\(isRedirect ? ", but redirects are not followed" : "")")
            } catch let error as HTTPClientError where error == .deadlineExceeded || error == .readTimeout {
                return .failed(reason: "it did not answer within \(timeout.nanoseconds / 1_000_000_000) s")
            } catch {
                reason = Self.words(for: error)
                if NIODeadline.now() >= deadline { break }
            }
        }
        return .failed(reason: reason)
    }

    private func addresses(of host: WebhookTarget.Host) async throws -> [IPAddress] {
        switch host {
        case .address(let address): [address]
        case .name(let name): try await resolver.addresses(name)
        }
    }

    /// Posts the job's document. The answer's body is not read.
    private func post(
        _ notice: BulkNotice,
        to target: WebhookTarget,
        at address: IPAddress,
        deadline: NIODeadline
    ) async throws -> Int {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        configuration.timeout = .init(connect: timeout, read: timeout)
        configuration.connectionPool.retryConnectionEstablishment = false
        // The certificate is still that of the name.
        if case .name(let name) = target.host { configuration.dnsOverride = [name: address.description] }
        // A client for each message: a connection that is kept would outlive the look at its address.
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        let body = ByteBuffer(json: JobDocument(notice.job))
        var request = HTTPClientRequest(url: target.url)
        request.method = .POST
        request.headers = [
            "Content-Type": "application/json", "User-Agent": "Nereid", "Nereid-Job": notice.job.id,
            "Nereid-Attempt": "\(notice.attempts + 1)",
            "Nereid-Signature": WebhookSignature(of: body, at: now(), with: secret).header,
        ]
        if let trace = notice.trace { request.headers.add(name: "traceparent", value: trace.child().description) }
        request.body = .bytes(body)
        let result: Result<Int, any Error>
        do {
            result = .success(Int(try await client.execute(request, deadline: deadline).status.code))
        } catch {
            result = .failure(error)
        }
        try? await client.shutdown()
        return try result.get()
    }

    /// What went wrong, without what only concerns this server's own network.
    private static func words(for error: any Error) -> String {
        if error is CancellationError { return "this server was stopped" }
        return switch ConnectionTrouble(http: error) {
        case .refused: "the connection was refused"
        case .timedOut: "the connection was not made in time"
        case .tls: "the TLS connection failed"
        case .closed: "it closed the connection before it answered"
        case .nameNotFound, .unreachable: "it can't be reached"
        case .other: error is HTTPClientError ? "it did not speak HTTP as expected" : "it can't be reached"
        }
    }
}
