// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// What is wrong with a zip of pictures.
enum ArchiveError: Error, Equatable, CustomStringConvertible {
    /// It, or a file in it, can't be read. The file is `nil` where the zip itself is at fault.
    case damaged(file: String?, reason: String)
    case encrypted(file: String)
    case unknownCompression(file: String)
    /// The bytes of a file belong to another file or to the table of contents too.
    case overlapping(file: String)
    case noPicture(skipped: Int)
    case tooManyFiles(limit: Int)
    case directoryTooLarge(limit: Int)
    case tooManyPictures(limit: Int)
    case pictureTooLarge(file: String, limit: Int)
    case tooLarge(limit: Int)
    case tooSlow(limit: Duration)

    var description: String {
        switch self {
        case .damaged(let file?, let reason):
            "‘\(file)’ in the zip can't be read: \(reason). Make the zip anew and send it again"
        case .damaged(nil, let reason):
            "the zip can't be read: \(reason). Make it anew and send it again"
        case .encrypted(let file):
            "‘\(file)’ in the zip is encrypted; send a zip without a password"
        case .unknownCompression(let file):
            "‘\(file)’ in the zip is compressed in a way that is not read here; use ‘store’ or ‘deflate’"
        case .overlapping(let file):
            "‘\(file)’ in the zip shares its bytes with another file of the zip, which no program that makes zips does. "
                + "Make the zip anew and send it again"
        case .noPicture(let skipped):
            skipped == 0
                ? "there is no picture in the upload: the zip is empty"
                : "there is no picture in the upload: of the files in the zip (\(skipped)), none is a picture"
        case .tooManyFiles(let limit):
            "the zip has more than \(limit) files; send several jobs"
        case .directoryTooLarge(let limit):
            "the zip's table of contents is larger than \(limit >> 20) MiB; send several jobs, or give the files shorter names"
        case .tooManyPictures(let limit):
            "the upload has more than \(limit) pictures; send several jobs"
        case .pictureTooLarge(let file, let limit):
            "‘\(file)’ in the zip is larger than \(limit) bytes (setting max_picture_bytes)"
        case .tooLarge(let limit):
            "the pictures in the upload's zips are larger than \(limit) bytes together, twice what a request may be "
                + "(setting max_request_bytes); send several jobs"
        case .tooSlow(let limit):
            "the zip could not be unpacked within \(limit.formatted) (setting request_timeout); send several jobs"
        }
    }
}
