// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging

extension Services {
    /// What the pictures of one job may be.
    var archiveLimits: ArchiveLimits {
        let (bytes, isTooMuch) = configuration.maxRequestBytes.multipliedReportingOverflow(by: ArchiveLimits.expansion)
        return ArchiveLimits(
            pictureBytes: configuration.pictures.encodedBytes,
            unpackedBytes: isTooMuch ? .max : bytes
        )
    }

    /// All zips take turns with the pictures of each model.
    private static let share = "zips"

    /// Puts the pictures of an upload's zips in the zips' places.
    ///
    /// - Returns: how many files of the zips were left out, because they are no pictures.
    /// - Throws: ``ArchiveError``, also when there are too many pictures or none at all; ``UploadError``.
    func unpack(_ upload: Upload, deadline: ContinuousClock.Instant) async throws -> (upload: Upload, skipped: Int) {
        let (limits, memory, timeout) = (archiveLimits, upload.memory, configuration.requestTimeout)
        var files: [Upload.File] = []
        var (skipped, archives, packedBytes) = (0, 0, 0)
        var unpackedBytes = limits.unpackedBytes
        for file in upload.files {
            guard ArchiveOutline.recognises(file.bytes) else {
                files.append(file)
                continue
            }
            archives += 1
            packedBytes += file.bytes.readableBytes
            var reading = try await imaging.run(for: Self.share) { [unpackedBytes, count = files.count] _ in
                try ArchiveReading(
                    file.bytes,
                    limits: limits,
                    pictures: max(limits.pictures - count, 0),
                    unpackedBytes: unpackedBytes,
                    deadline: deadline,
                    timeout: timeout
                )
            }
            while reading.next != nil {
                // One portion at a time, so that pictures of requests that are waited for come in between.
                let (further, pictures) = try await imaging.run(for: Self.share) { [reading] limit in
                    var reading = reading
                    let pictures = try reading.takeSome(memory: memory, limit: limit)
                    return (reading, pictures)
                }
                reading = further
                files += pictures
            }
            skipped += reading.skipped
            unpackedBytes = reading.unpackedBytes
        }
        guard files.count <= limits.pictures else { throw ArchiveError.tooManyPictures(limit: limits.pictures) }
        guard !files.isEmpty else {
            throw archives > 0 ? ArchiveError.noPicture(skipped: skipped) : UploadError.noFile
        }
        var unpacked = upload
        unpacked.files = files
        memory.shrink(by: packedBytes)
        return (unpacked, skipped)
    }
}
