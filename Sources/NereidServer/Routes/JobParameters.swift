// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import HTTPTypes
import Hummingbird
import NereidJobs
import NereidVision

/// What an order of a job may say: in its query or in form fields what is asked of the model and where to tell that all is
/// done, in its head a key that makes it repeatable.
struct JobParameters {
    private let prediction: PredictionParameters
    /// Where to tell that all is done.
    let webhook: WebhookTarget?
    /// The same key is the same order.
    let idempotencyKey: String?

    /// Reads the parameters.
    ///
    /// - Throws: ``Problem`` with the code `bad_parameter`, naming the parameter, the value and what would do.
    init(_ request: Request, fields: ParameterValues = .init(), webhooks: WebhookConfiguration) throws {
        let query = request.query
        for name in PredictionParameters.ofAnswers
        where !fields.all(name).isEmpty || query.contains(where: { $0.name == name }) {
            throw Self.problem("‘\(name)’ is not for jobs, whose results are JSON. Leave it out, or ask …/predict")
        }
        prediction = try PredictionParameters(
            query: query,
            fields: fields,
            known: PredictionParameters.ofModels + ["webhook"]
        )
        var values = fields
        for (name, value) in query { values.add(value, to: name) }
        let url = try values.one("webhook")
        webhook = try url.flatMap { $0.isEmpty ? nil : $0 }.map { try Self.target($0, webhooks) }
        idempotencyKey = try Self.key(request.headers[.idempotencyKey])
    }

    /// The options for a model, whose classes the names are looked up in.
    func options(for model: JobModel) throws -> PredictionOptions {
        try prediction.options(for: model)
    }

    private static func target(_ url: String, _ webhooks: WebhookConfiguration) throws -> WebhookTarget {
        guard webhooks.secret != nil else {
            throw problem(
                "‘webhook’ needs a secret that its messages are signed with, which this server does not have: "
                    + "set webhook_secret (NEREID_WEBHOOK_SECRET)"
            )
        }
        let target = try WebhookTarget(url)
        try WebhookAddressRules(allowedHosts: webhooks.hosts).check(target)
        return target
    }

    private static func key(_ key: String?) throws(Problem) -> String? {
        guard let key else { return nil }
        guard (1...255).contains(key.utf8.count), key.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            throw problem("the header Idempotency-Key must be 1 to 255 printable ASCII characters, such as a UUID")
        }
        return key
    }

    private static func problem(_ detail: String) -> Problem {
        Problem(status: .badRequest, code: .badParameter, detail: detail)
    }
}

/// What a call about jobs may say in its query.
struct JobQuery {
    private let values: ParameterValues

    /// Reads a query.
    ///
    /// - Throws: ``Problem`` for a name that is not known, and for one that is given more than once.
    init(_ request: Request, known: [String]) throws(Problem) {
        var values = ParameterValues()
        for (name, value) in request.query {
            guard known.contains(name) else {
                throw Self.problem("‘\(name)’ is not a parameter. Parameters: \(known.joined(separator: ", "))")
            }
            values.add(value, to: name)
            _ = try values.one(name)
        }
        self.values = values
    }

    /// A word.
    func text(_ name: String) -> String? { values.all(name).first }

    /// A whole number in a range.
    func number(_ name: String, in range: ClosedRange<Int>, else fallback: Int) throws(Problem) -> Int {
        guard let text = text(name) else { return fallback }
        return try Self.number(text, "‘\(name)’", in: range)
    }

    /// The number of the last result that the client has: `Last-Event-ID` before `after`, which stays in the address when a
    /// client connects again.
    static func lastSequence(_ request: Request) throws(Problem) -> Int {
        let after = try JobQuery(request, known: ["after"]).number("after", in: 0...Int.max, else: 0)
        guard let last = request.headers[.lastEventID], !last.isEmpty else { return after }
        return try number(last, "the header Last-Event-ID", in: 0...Int.max)
    }

    private static func number(_ text: String, _ what: String, in range: ClosedRange<Int>) throws(Problem) -> Int {
        guard let number = Int(text), range.contains(number) else {
            let bounds =
                range.upperBound == .max
                ? "from \(range.lowerBound)" : "from \(range.lowerBound) to \(range.upperBound)"
            throw problem("\(what) is ‘\(text)’, but must be a whole number \(bounds)")
        }
        return number
    }

    private static func problem(_ detail: String) -> Problem {
        Problem(status: .badRequest, code: .badParameter, detail: detail)
    }
}

extension HTTPField.Name {
    /// The same key is the same order.
    static let idempotencyKey = HTTPField.Name("Idempotency-Key")!
    /// The last event that a client of a stream has seen.
    static let lastEventID = HTTPField.Name("Last-Event-ID")!
}
