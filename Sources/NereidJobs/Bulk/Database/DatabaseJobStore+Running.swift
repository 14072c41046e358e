// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import GRDB
import NIOCore
import NIOFoundationCompat
import NIOPosix
import NereidVision

/// What a ``BulkRunner`` asks of the store.
extension DatabaseJobStore {
    /// A job with pictures that wait.
    struct Unfinished: Sendable, Hashable {
        /// In the order in which jobs were accepted.
        var number: Int64
        var id: String
        var model: String
        /// The places of the pictures that wait and have never been begun, in their order.
        var fresh: [Int]
        /// The places of those that were begun when a process ended.
        var suspects: [Int]
    }

    /// A picture that has been begun.
    struct Begun: Sendable {
        var picture: ByteBuffer
        /// `nil` when they can't be read.
        var options: PredictionOptions?
        /// How often it has been begun, with this time.
        var attempts: Int
    }

    /// Jobs with pictures that wait, the oldest first.
    ///
    /// - Parameter number: only jobs that were accepted after this one.
    func unfinished(after number: Int64) async throws -> [Unfinished] {
        try await read { database in
            let jobs = try Row.fetchAll(
                database,
                sql: "SELECT number, id, model FROM job WHERE finished IS NULL AND number > ? ORDER BY number",
                arguments: [number]
            )
            return try jobs.map { job in
                var unfinished = Unfinished(
                    number: job["number"],
                    id: job["id"],
                    model: job["model"],
                    fresh: [],
                    suspects: []
                )
                let pictures = try Row.fetchCursor(
                    database,
                    sql: "SELECT position, attempts FROM picture WHERE job = ? AND isAnswered = 0 ORDER BY position",
                    arguments: [unfinished.number]
                )
                while let picture = try pictures.next() {
                    if picture["attempts"] == 0 {
                        unfinished.fresh.append(picture["position"])
                    } else {
                        unfinished.suspects.append(picture["position"])
                    }
                }
                return unfinished
            }
        }
    }

    /// Counts an attempt at a picture, before it is made.
    ///
    /// - Returns: `nil` when the picture is gone, or answered.
    func begin(_ position: Int, of number: Int64) async throws -> Begun? {
        // Should the power fail, no picture is to blame, and no attempt needs to have been counted.
        try await write(safeFrom: .processEnd) { database in
            guard
                let row = try Row.fetchOne(
                    database,
                    sql: """
                        UPDATE picture SET attempts = attempts + 1 WHERE job = ? AND position = ? AND isAnswered = 0
                        RETURNING attempts
                        """,
                    arguments: [number, position]
                ),
                let upload = try Row.fetchOne(
                    database,
                    sql: """
                        SELECT upload.bytes, job.options FROM upload JOIN job ON job.number = upload.job
                        WHERE upload.job = ? AND upload.position = ?
                        """,
                    arguments: [number, position]
                )
            else { return nil }
            let (bytes, options): (Data, String) = (upload["bytes"], upload["options"])
            return Begun(
                picture: ByteBuffer(data: bytes),
                options: OptionsMessage(json: ByteBuffer(string: options))?.options,
                attempts: row["attempts"]
            )
        }
    }

    /// An attempt has ended without an answer and without harm: it does not count.
    func release(_ position: Int, of number: Int64) async throws {
        try await write(safeFrom: .processEnd) { database in
            try database.execute(
                sql:
                    "UPDATE picture SET attempts = max(0, attempts - 1) WHERE job = ? AND position = ? AND isAnswered = 0",
                arguments: [number, position]
            )
        }
    }

    /// Keeps the answer to a picture and lets go of its bytes.
    ///
    /// - Returns: `false` when the picture is gone, or has an answer.
    @discardableResult
    func record(_ outcome: Result<JobAnswer, any Error>, for position: Int, of number: Int64) async throws -> Bool {
        guard let kept = try await kept(outcome, position, of: number) else { return false }
        let hasFailed = if case .failure = outcome { true } else { false }
        let (now, limits) = (now, limits)
        let id: String? = try await write { database in
            guard
                let bytes = try Int.fetchOne(
                    database,
                    sql: """
                        UPDATE picture SET isAnswered = 1 WHERE job = ? AND position = ? AND isAnswered = 0 RETURNING bytes
                        """,
                    arguments: [number, position]
                )
            else { return nil }
            try database.execute(
                sql: "DELETE FROM upload WHERE job = ? AND position = ?",
                arguments: [number, position]
            )
            guard
                let job = try Row.fetchOne(
                    database,
                    sql: """
                        UPDATE job SET done = done + 1, failed = failed + ?, waitingBytes = waitingBytes - ? WHERE number = ?
                        RETURNING id, done
                        """,
                    arguments: [hasFailed ? 1 : 0, bytes, number]
                )
            else { return nil }
            try database.execute(
                sql: "INSERT INTO result (job, sequence, position, answer, isDocument) VALUES (?, ?, ?, ?, ?)",
                arguments: [number, job["done"] as Int, position, kept.numbered(job["done"]), kept.isDocument]
            )
            try Self.finishIfDone(job["id"], at: now, limits, in: database)
            return job["id"]
        }
        if let id { signals.changed(id) }
        return id != nil
    }

    /// Says when a job was done, if it is, and how long it is kept; from now on its webhook may be told.
    static func finishIfDone(_ id: String, at now: Int, _ limits: BulkLimits, in database: Database) throws {
        let expires = now + max(0, Int(min(limits.life / .milliseconds(1), 1e15)))
        try database.execute(
            sql: """
                UPDATE job SET finished = ?, expires = ?, noticeDue = CASE WHEN webhook IS NULL THEN NULL ELSE ? END
                WHERE id = ? AND finished IS NULL AND done = pictures
                """,
            arguments: [now, expires, now, id]
        )
    }

    /// The form that an answer is kept in; `nil` when its picture is gone.
    ///
    /// It is made before anything is changed, on a thread that may be held up: masks take time.
    private func kept(
        _ outcome: Result<JobAnswer, any Error>,
        _ position: Int,
        of number: Int64
    ) async throws -> KeptOutcome? {
        guard let document else { return KeptOutcome(message: outcome) }
        let known = try await read { database in
            try Row.fetchOne(
                database,
                sql: """
                    SELECT picture.name, job.id, job.model FROM picture JOIN job ON job.number = picture.job
                    WHERE picture.job = ? AND picture.position = ?
                    """,
                arguments: [number, position]
            ).map { row -> (name: String?, id: String, model: String) in (row["name"], row["id"], row["model"]) }
        }
        guard let known else { return nil }
        let result = BulkResult(sequence: 0, picture: position, name: known.name, outcome: outcome)
        return try await NIOThreadPool.singleton.runIfActive {
            KeptOutcome(document: document(result, known.id, known.model))
        }
    }
}

/// An answer as a row holds it.
private struct KeptOutcome: Sendable {
    private let json: Data
    /// Whether it is the whole object that is sent.
    let isDocument: Bool

    init(document: ByteBuffer) {
        (json, isDocument) = (Data(buffer: document), true)
    }

    init(message outcome: Result<JobAnswer, any Error>) {
        isDocument = false
        do {
            json = Data(buffer: try AnswerMessage(try outcome.get()).json())
        } catch {
            // A failure is words and numbers: JSON has a form for each.
            let message = try? AnswerMessage(FailureMessage(error)).json()
            json = message.map { Data(buffer: $0) } ?? Data(#"{"error":{"code":"failed","detail":""}}"#.utf8)
        }
    }

    /// The same with the number of the result, which is known only when it is kept.
    func numbered(_ sequence: Int) -> Data {
        let placeholder = Data(#""sequence":0"#.utf8)
        guard isDocument, let range = json.range(of: placeholder, options: .backwards) else { return json }
        var numbered = json
        numbered.replaceSubrange(range, with: Data("\"sequence\":\(sequence)".utf8))
        return numbered
    }
}
