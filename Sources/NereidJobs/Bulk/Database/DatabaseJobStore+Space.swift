// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import GRDB

extension DatabaseJobStore {
    /// What an order needs beside its pictures: rows, indexes, and the log's own bytes.
    private static func extraBytes(of order: BulkOrder) -> Int { leastBytes + order.pictures.count * 1024 }
    /// With less than this no order has room.
    private static let leastBytes = 1 << 20

    /// Whether an order has room in the database and on the disk, with the reserve untouched.
    ///
    /// - Throws: ``BulkError/noSpace(reason:)``; an error of SQLite.
    func checkSpace(for order: BulkOrder, in database: Database) throws {
        func number(_ pragma: String) throws -> Int { try Int.fetchOne(database, sql: "PRAGMA \(pragma)") ?? 0 }
        let page = try number("page_size")
        let unused = try number("freelist_count") * page
        let (bytes, path) = (order.byteCount, folder.path)
        if let limit = limits.diskBytes {
            let used = try number("page_count") * page - unused
            guard used + bytes <= limit else {
                throw BulkError.noSpace(
                    reason:
                        "pictures and results take \(used) bytes in \(path) and this order \(bytes) more, but no more than "
                        + "\(limit) may be taken (setting job_disk_bytes). Delete jobs whose results are not needed any more, or "
                        + "wait until they expire"
                )
            }
        }
        guard let free = space.free(path) else { return }
        guard reserve.hold(of: free) else {
            throw BulkError.noSpace(
                reason:
                    "the disk of \(path) has \(free) bytes free, which is too little to set \(reserve.size) bytes aside "
                    + "for results and deletions. Make room there, or delete jobs whose results are not needed any more"
            )
        }
        // Pictures pass through the log before they take pages of the database.
        let needed = bytes + max(0, bytes - unused) + Self.extraBytes(of: order)
        let left = space.free(path) ?? free
        guard needed <= left else {
            throw BulkError.noSpace(
                reason:
                    "this order needs \(needed) bytes on the disk of \(path), which has \(left) free. Make room there, order "
                    + "fewer pictures at a time, or delete jobs whose results are not needed any more"
            )
        }
    }

    /// Gives back what a full disk can spare.
    ///
    /// - Parameter releasing: whether the reserve is among that.
    /// - Returns: whether there was anything.
    func makeRoom(releasing: Bool) async -> Bool {
        let wasReleased = releasing && reserve.release()
        condition.withLock { $0.isFull = true }
        let space = space
        let isTruncated = try? await database.writeWithoutTransaction { database in
            if wasReleased { try space.afterRelease(database) }
            // What is in the database already need not be in the log.
            return try database.checkpoint(.truncate).walFrameCount >= 0
        }
        return wasReleased || isTruncated == true
    }

    /// Sets the reserve aside again when there is room.
    func restoreReserve() {
        reserve.examine()
        guard let free = space.free(folder.path), reserve.hold(of: free) else { return }
        condition.withLock { $0.isFull = false }
    }

    /// The state of the folder and its files.
    public var storage: BulkStorage {
        var storage = BulkStorage()
        let condition = condition.withLock(\.self)
        storage.isAvailable = condition.damage == nil
        storage.troubles = condition.findings
        if let damage = condition.damage { storage.troubles.append(damage.description) }
        storage.fileBytes = folder.files.reduce(0) { $0 + (FileIdentity($1)?.size ?? 0) }
        storage.freeBytes = space.free(folder.path)
        storage.reservedBytes = reserve.isHeld ? reserve.size : 0
        let free = storage.freeBytes ?? .max
        if condition.damage == nil, !reserve.isHeld || free < Self.leastBytes {
            storage.troubles.append(
                "orders of jobs are refused: the disk of \(folder.path) has \(free) bytes free, beside "
                    + "\(storage.reservedBytes ?? 0) of \(reserve.size) that are set aside for results and deletions. Make room "
                    + "there"
            )
        }
        return storage
    }
}
