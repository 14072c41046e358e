// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidCheckpoints

/// Small checkpoints that between them use every part of the reader: where mutations and fuzzing start.
enum SeedCheckpoints {
    static let all: [(name: String, contents: [UInt8])] = [
        ("module.pt", SavedCheckpoint(.entries(["model": module, "epoch": .integer(-1)])).zip()),
        ("module-wide.pt", SavedCheckpoint(.entries(["model": module])).zip(wide: true)),
        ("module-legacy.pt", SavedCheckpoint(.entries(["model": module])).legacy()),
        ("arrays.pkl", PickleWriter.pickle(.entries(["model": .entries(["w": array])]), protocolVersion: 4).bytes),
        ("values.pt", SavedCheckpoint(values, protocolVersion: 5).zip(byteOrder: nil)),
        ("opcodes.pt", SavedCheckpoint(.opcodes(opcodes)).zip()),
        ("calls.pt", SavedCheckpoint(.call("os", "system", [.text("echo")])).zip()),
    ]

    private static let array = Pickled.array(
        module: "numpy._core.multiarray",
        "f4",
        shape: [1, 2],
        bytes: [0, 0, 0x80, 0x3F, 0, 0, 0, 0x40]
    )

    private static let weight = Pickled.tensor(
        SavedStorage(key: "0", "HalfStorage", count: 4, bytes: [0, 0x3C, 0, 0x40, 0, 0x42, 0, 0x44]),
        shape: [2, 2],
        strides: [1, 2]
    )

    private static let module = Pickled.instance(
        .name("torch.nn.modules.conv", "Conv2d"),
        state: .entries([
            "training": .boolean(false),
            "_parameters": .built(
                .call(
                    "collections",
                    "OrderedDict",
                    [
                        .list([
                            .tuple([
                                .text("weight"),
                                .call(
                                    "torch._utils",
                                    "_rebuild_parameter",
                                    [weight, .boolean(true), .orderedDictionary]
                                ),
                            ])
                        ])
                    ]
                ),
                state: .entries(["_metadata": .none])
            ),
            "_buffers": .entries([
                "anchors": .tensor(SavedStorage(key: "1", "LongStorage", count: 1, bytes: littleEndian(5)), shape: [])
            ]),
            "_modules": .entries([:]),
            "kernel_size": .call("torch", "Size", [.integers([3, 3])]),
            "eps": .real(0.001),
            "_non_persistent_buffers_set": .call("__builtin__", "set", [.list([])]),
        ])
    )

    private static let values = Pickled.list([
        .bytes([1, 2]), .call("_codecs", "encode", [.text("é"), .text("latin1")]),
        .call("pathlib", "PosixPath", [.text("a"), .text("b")]), .call("builtins", "complex", [.real(1), .real(2)]),
        .call("torch", "device", [.text("cuda"), .integer(0)]),
        .call("numpy.core.multiarray", "scalar", [.arrayType("f8"), .bytes([0, 0, 0, 0, 0, 0, 0xF0, 0x3F])]),
        .call("collections", "defaultdict", [.name("builtins", "list")]),
        .call("copyreg", "_reconstructor", [.name("m", "C"), .name("builtins", "object"), .none]),
        .call("numpy._core.numeric", "_frombuffer", [.bytes([1]), .arrayType("u1"), .integers([1]), .text("C")]),
        .typedTensor(
            SavedStorage(key: "2", module: "torch.storage", "UntypedStorage", count: 2, bytes: [1, 2]),
            .name("torch", "int16")
        ),
        array,
    ])

    /// Opcodes that the writer above has no use for.
    private static let opcodes: [UInt8] =
        [0x95] + littleEndian(UInt64(1)) + [0x5D, 0x94, 0x28, 0x8C, 1, 0x61, 0x8A, 2, 1, 2, 0x8B, 1, 0, 0, 0, 7, 0x65]
        + [0x68, 0, 0x32, 0x30, 0x7D, 0x4E, 0x88, 0x73, 0x61, 0x8F, 0x28, 0x4E, 0x90, 0x61, 0x28, 0x4E, 0x91, 0x61]
        + [0x28, 0x4E, 0x69, 0x6D, 0x0A, 0x6E, 0x0A, 0x61, 0x28, 0x63, 0x6D, 0x0A, 0x6E, 0x0A, 0x6F, 0x61]
        + [0x8C, 1, 0x6D, 0x8C, 1, 0x6E, 0x93, 0x29, 0x7D, 0x92, 0x61, 0x55, 1, 0x61, 0x61, 0x28, 0x4E, 0x6C, 0x61]
}
