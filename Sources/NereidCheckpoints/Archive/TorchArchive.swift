// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// A checkpoint in a zip archive: `FOLDER/data.pkl` and `FOLDER/data/KEY` for each storage, all of them stored as they
/// are (PyTorch, `torch/serialization.py`).
struct TorchArchive {
    private let bytes: CheckpointBytes
    private let file: String
    private let limits: CheckpointLimits
    private let archive: ZipArchive

    init(_ bytes: CheckpointBytes, file: String, limits: CheckpointLimits) throws(CheckpointError) {
        self.bytes = bytes
        self.file = file
        self.limits = limits
        archive = try ZipArchive(bytes, file: file, limits: limits)
    }

    func read() throws(CheckpointError) -> CheckpointContent {
        let folder = try folder()
        try refuseProgram(in: folder)
        try checkByteOrder(in: folder)
        let pickle = "\(folder)/data.pkl"
        guard let extent = try archive.contents(of: pickle) else { throw noPickle() }
        let part = CheckpointPart(file: file, name: pickle, extent: extent)
        var machine = PickleMachine(bytes, part: part, into: ValueTable(), limits: limits)
        let root = try machine.run()
        let table = machine.table
        try machine.table.locateStorages(of: part) { (key, place) throws(CheckpointError) in
            let key = table.text(key)
            guard let extent = try archive.contents(of: "\(folder)/data/\(key)") else {
                throw .damaged(
                    file: file,
                    place: place,
                    reason: "storage \(Excerpt(key)) is named, but the archive has no entry for it"
                )
            }
            return extent
        }
        return CheckpointContent(container: .zip, table: machine.table, root: root)
    }

    /// The one folder at the top that holds `data.pkl`.
    private func folder() throws(CheckpointError) -> String {
        let ending = "/data.pkl"
        let folders = archive.entries.compactMap { entry -> String? in
            guard entry.name.hasSuffix(ending) else { return nil }
            let folder = String(entry.name.dropLast(ending.count))
            return folder.contains("/") ? nil : folder
        }
        guard let folder = folders.first else { throw noPickle() }
        guard folders.count == 1 else {
            throw .damaged(
                file: file,
                place: CheckpointPlace(part: "\(folders[1])\(ending)", byte: nil),
                reason: "it is the second pickle in an archive that may have one"
            )
        }
        return folder
    }

    private func noPickle() -> CheckpointError {
        .notACheckpoint(
            file: file,
            found: "a zip archive without the entry data.pkl",
            advice: "give the file that torch.save wrote; if this is an archive around it, unpack it"
        )
    }

    /// TorchScript and torch.package keep code in the archive, and a network in it that only torch can run.
    private func refuseProgram(in folder: String) throws(CheckpointError) {
        if archive.contains("\(folder)/constants.pkl")
            || archive.entries.contains(where: { $0.name.hasPrefix("\(folder)/code/") })
        {
            throw .notACheckpoint(
                file: file,
                found: "a TorchScript program, from which the network's layers cannot be told",
                advice: "give the checkpoint (.pt) that the training wrote, or an ONNX export"
            )
        }
        if archive.contains("\(folder)/.data/extern_modules") {
            throw .notACheckpoint(
                file: file,
                found: "a package of torch.package, which holds programs",
                advice: "give the checkpoint (.pt) that the training wrote, or an ONNX export"
            )
        }
    }

    private func checkByteOrder(in folder: String) throws(CheckpointError) {
        let name = "\(folder)/byteorder"
        guard let extent = try archive.contents(of: name) else { return }
        let order = extent.count <= 16 ? bytes.text(in: extent) : nil
        switch order {
        case "little": return
        case "big":
            throw .unsupported(
                file: file,
                place: CheckpointPlace(part: name, byte: 0),
                feature: "its numbers are in big-endian order",
                advice: "write it with torch.save on a little-endian machine"
            )
        default:
            throw .damaged(
                file: file,
                place: CheckpointPlace(part: name, byte: 0),
                reason: "a byte order that is neither little nor big"
            )
        }
    }
}
