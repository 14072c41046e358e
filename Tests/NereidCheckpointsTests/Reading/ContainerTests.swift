// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidCheckpoints
import TestSupport
import Testing

import struct Foundation.Data

struct ContainerTests {
    private static let saved = SavedCheckpoint(
        .entries([
            "model": .tensor(SavedStorage(floats: [1, 2, 3]), shape: [3]),
            "other": .tensor(SavedStorage(key: "k", "LongStorage", count: 1, bytes: littleEndian(7)), shape: [1]),
        ])
    )

    private func error(_ contents: [UInt8]) throws -> CheckpointError {
        try #require(#expect(throws: CheckpointError.self) { try Checkpoint(contents: contents, name: "test.pt") })
    }

    @Test func readsEveryContainer() throws {
        let files: [(CheckpointContainer, [UInt8])] = [
            (.zip, Self.saved.zip()), (.zip, Self.saved.zip(byteOrder: nil)), (.zip, Self.saved.zip(wide: true)),
            (.legacy, Self.saved.legacy()),
        ]
        for (container, contents) in files {
            let checkpoint = try Checkpoint(contents: contents, name: "test.pt")
            #expect(checkpoint.container == container)
            #expect(checkpoint.byteCount == contents.count)
            #expect(try checkpoint.root["model"]?.tensor?.floats() == [1, 2, 3])
            #expect(try checkpoint.root["other"]?.tensor?.integers() == [7])
            let copy = try checkpoint.withContents { span throws(CheckpointError) in
                span.withUnsafeBytes { Array($0) }
            }
            #expect(copy == contents)
        }
    }

    @Test func readsBarePickleOfArrays() throws {
        let array = Pickled.array(module: "numpy.core.multiarray", "f4", shape: [1], bytes: [0, 0, 0x80, 0x3F])
        let contents = PickleWriter.pickle(.entries(["model": .entries(["w": array])]), protocolVersion: 4).bytes
        let checkpoint = try Checkpoint(contents: contents, name: "model.pkl")
        #expect(checkpoint.container == .pickle)
        #expect(try checkpoint.root["model"]?["w"]?.tensor?.floats() == [1])
        #expect(try error(contents + [0]).description.contains("1 bytes follow the end of the first pickle"))
        #expect(try error(Self.saved.pickle.bytes).description.contains("a tensor's storage is not in the file"))
        #expect(
            try error(PickleWriter.pickle(.integer(1)).bytes).description
                == "‘test.pt’ is not a checkpoint but a pickle without a single tensor; "
                + "give the checkpoint that the training wrote"
        )
    }

    @Test func readsFromFile() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("a.pt")
        try Data(Self.saved.zip()).write(to: folder.url.appendingPathComponent("a.pt"))
        let checkpoint = try Checkpoint(path: path)
        #expect(checkpoint.file == path)
        // The file may go away while it is in use.
        try folder.remove("a.pt")
        #expect(try checkpoint.root["model"]?.tensor?.floats() == [1, 2, 3])
        #expect(throws: CheckpointError.unreadable(file: path, reason: "No such file or directory")) {
            try Checkpoint(path: path)
        }
        #expect(throws: CheckpointError.unreadable(file: folder.path, reason: "it is a folder")) {
            try Checkpoint(path: folder.path)
        }
        #expect(throws: CheckpointError.unreadable(file: "/dev/null", reason: "it is not a regular file")) {
            try Checkpoint(path: "/dev/null")
        }
    }

    @Test(
        arguments: [
            ([], "an empty file; fetch it again"),
            (
                Array("version https://git-lfs.github.com/spec/v1\noid sha256:0\n".utf8),
                "a Git LFS pointer, which stands in the place of the weights; run ‘git lfs pull’"
            ),
            (Array("\n<!DOCTYPE html><html>".utf8), "an HTML page (a web page), as a failed download leaves"),
            (Array("<?xml version=\"1.0\"?>".utf8), "an XML file"), (Array("{\"error\": 1}".utf8), "a text file"),
            (littleEndian(UInt64(2)) + Array("{}".utf8), "a safetensors file"),
            ([0x08, 0x08, 0x12, 0x07] + Array("pytorch".utf8), "an ONNX graph; name it .onnx"),
            ([0x1F, 0x8B, 8, 0], "a gzip archive; unpack it"), (Array("BZh9".utf8), "a bzip2 archive"),
            ([0xFD, 0x37, 0x7A, 0x58, 0x5A, 0], "an xz archive"), ([0x28, 0xB5, 0x2F, 0xFD], "a Zstandard archive"),
            ([0x89, 0x48, 0x44, 0x46, 0x0D], "an HDF5 file, as Keras writes"),
            ([0x93] + Array("NUMPY".utf8), "a NumPy array"), (Array("GGUF".utf8), "a GGUF model"),
            ([0, 0, 0, 0] + Array("TFL3".utf8), "a TensorFlow Lite model"),
            ([UInt8](repeating: 1, count: 257) + Array("ustar".utf8), "a tar archive"),
            ([0x80, 9, 0x4E, 0x2E], "a pickle of a protocol that is not read"),
            ([0, 1, 2, 3], "a file of an unknown kind"),
            ([0x50, 0x4B, 5, 6] + [UInt8](repeating: 0, count: 18), "a zip"),
            (PickleWriter.pickle(.integer(1)).bytes, "a pickle without a single tensor"),
        ] as [([UInt8], String)]
    )
    func recognisesOtherFiles(contents: [UInt8], found: String) throws {
        let error = try error(contents)
        guard case .notACheckpoint(let file, _, let advice) = error else {
            Issue.record("\(error) was thrown")
            return
        }
        #expect(file == "test.pt")
        #expect(!advice.isEmpty)
        #expect(error.description.contains("‘test.pt’ is not a checkpoint but \(found)"))
    }

    @Test(
        arguments: [
            ("archive/constants.pkl", "a TorchScript program"),
            ("archive/code/__torch__/a.py", "a TorchScript program"),
            ("archive/.data/extern_modules", "a package of torch.package"),
        ]
    )
    func recognisesProgram(entry: String, found: String) throws {
        var file = Self.saved.zipFile()
        file.add(entry, [])
        #expect(try error(file.bytes).description.contains("is not a checkpoint but \(found)"))
    }

    @Test func takesOnlyTheOnePickleAtTheTop() throws {
        var nested = Self.saved.zipFile()
        nested.add("archive/extra/data.pkl", [0xFF])
        #expect(try Checkpoint(contents: nested.bytes, name: "test.pt").root.kind == .dictionary)
        nested.add("second/data.pkl", [0xFF])
        #expect(try error(nested.bytes).description.contains("the second pickle in an archive that may have one"))
        var twice = Self.saved.zipFile()
        twice.add("archive/data.pkl", [0xFF])
        #expect(try error(twice.bytes).description.contains("two entries of the archive are named ‘archive/data.pkl’"))
        var none = ZipFile()
        none.add("readme.txt", [])
        #expect(try error(none.bytes).description.contains("a zip archive without the entry data.pkl"))
    }

    @Test func readsLittleEndianOnly() throws {
        let big = try error(Self.saved.zip(byteOrder: "big"))
        #expect(big.description.contains("its entry ‘archive/byteorder’, its numbers are in big-endian order"))
        #expect(try error(Self.saved.legacy(littleEndian: false)).description.contains("in big-endian order"))
        #expect(try error(Self.saved.zip(byteOrder: "middle")).description.contains("neither little nor big"))
    }
}
