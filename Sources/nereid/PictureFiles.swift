// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import NereidImaging
import NereidVision
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Pictures on the disk.
enum PictureFiles {
    /// The files named, and in folders every file that is named like a picture, below them too, in order. Hidden files and those
    /// of systems are passed over in folders, as in zips.
    static func find(_ paths: [String]) throws -> FoundPictures {
        var found = FoundPictures()
        for path in paths {
            var isFolder = false
            guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
                throw CommandFailure("there is no picture or folder ‘\(path)’")
            }
            guard isFolder else {
                found.files.append(path)
                continue
            }
            let pictures = found.files.count
            for name in try FileManager.default.subpathsOfDirectory(atPath: path).sorted()
            where !PictureFileName.isSystemFile(name) {
                let file = path.hasSuffix("/") ? path + name : "\(path)/\(name)"
                var isFolder = false
                if FileManager.default.fileExists(atPath: file, isDirectory: &isFolder), isFolder { continue }
                if PictureFileName.isPicture(name) { found.files.append(file) } else { found.others.append(file) }
            }
            guard found.files.count > pictures else {
                throw CommandFailure("the folder ‘\(path)’ holds no pictures" + (found.note.map { "; \($0)" } ?? ""))
            }
        }
        return found
    }

    /// A file's bytes. Blocks its thread.
    static func read(_ path: String) throws -> ByteBuffer {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw CommandFailure("the file ‘\(path)’ can't be read")
        }
        return ByteBuffer(bytes: data)
    }
}

/// A folder that annotated pictures are written to.
final class AnnotatedFolder: Sendable {
    private let path: String
    private let taken: Mutex<Set<String>>

    /// Makes the folder if it is not there.
    ///
    /// - Parameter keepsFiles: whether files that are there already are not written over.
    init(_ path: String, keepsFiles: Bool = false) throws {
        try OutputPath.makeFolder(path)
        self.path = path
        let files = keepsFiles ? try FileManager.default.contentsOfDirectory(atPath: path) : []
        taken = Mutex(Set(files))
    }

    /// Draws and writes one picture: a PNG if it was one, a JPEG otherwise. Blocks its thread.
    func write(
        _ picture: Picture,
        _ detections: [Detection],
        _ classifications: [Classification],
        named original: String,
        _ limit: WorkLimit
    ) throws {
        let isPNG = picture.format == .png
        let drawn = try Annotation.draw(detections, classifications: classifications, on: picture, limit: limit)
        let bytes = try drawn.encoded(as: isPNG ? .png : .jpeg(quality: 92), limit: limit)
        let file = "\(path)/\(freeName(for: original, ending: isPNG ? "png" : "jpg"))"
        guard FileManager.default.createFile(atPath: file, contents: Data(bytes.readableBytesView)) else {
            throw CommandFailure("the file ‘\(file)’ can't be written")
        }
    }

    /// The picture's own name, or with a number behind it when two folders have a picture of that name.
    private func freeName(for original: String, ending: String) -> String {
        let name = original.split(separator: "/").last.map(String.init) ?? original
        let stem = name.lastIndex(of: ".").map { String(name[..<$0]) } ?? name
        return taken.withLock { taken in
            var candidate = "\(stem).\(ending)"
            var number = 2
            while !taken.insert(candidate).inserted {
                candidate = "\(stem)-\(number).\(ending)"
                number += 1
            }
            return candidate
        }
    }
}
