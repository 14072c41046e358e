// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// The classes and functions whose results are understood as plain values; all others stay inert objects.
///
/// Module and name are compared whole: `os.system` in a module `torch` is not a part of torch.
enum KnownConstructor: Sendable {
    case rebuildTensor
    case rebuildTensorWithType
    case rebuildParameter
    case rebuildWithAttributes
    case size
    case device
    case orderedDictionary
    case defaultDictionary
    case set
    case complex
    case bytes
    case encodedText
    case path
    case numpyScalar
    case numpyArray
    case numpyArrayFromBuffer
    case oldStyleInstance

    init?(module: String, name: String) {
        switch (module, name) {
        case ("torch._utils", "_rebuild_tensor"), ("torch._utils", "_rebuild_tensor_v2"):
            self = .rebuildTensor
        case ("torch._utils", "_rebuild_tensor_v3"):
            self = .rebuildTensorWithType
        case ("torch._utils", "_rebuild_parameter"), ("torch._utils", "_rebuild_parameter_with_state"),
            ("torch.nn.parameter", "Parameter"):
            self = .rebuildParameter
        case ("torch._tensor", "_rebuild_from_type_v2"):
            self = .rebuildWithAttributes
        case ("torch", "Size"):
            self = .size
        case ("torch", "device"):
            self = .device
        case ("collections", "OrderedDict"):
            self = .orderedDictionary
        case ("collections", "defaultdict"):
            self = .defaultDictionary
        case ("builtins", _), ("__builtin__", _):
            guard let builtin = Self.builtins[name] else { return nil }
            self = builtin
        case ("_codecs", "encode"):
            self = .encodedText
        case ("pathlib", _), ("pathlib._local", _):
            guard Self.paths.contains(name) else { return nil }
            self = .path
        case ("numpy.core.multiarray", _), ("numpy._core.multiarray", _):
            guard let array = Self.arrays[name] else { return nil }
            self = array
        case ("numpy.core.numeric", "_frombuffer"), ("numpy._core.numeric", "_frombuffer"):
            self = .numpyArrayFromBuffer
        case ("copyreg", "_reconstructor"), ("copy_reg", "_reconstructor"):
            self = .oldStyleInstance
        default:
            return nil
        }
    }

    private static let builtins: [String: Self] = [
        "set": .set, "frozenset": .set, "complex": .complex, "bytes": .bytes, "bytearray": .bytes,
    ]
    private static let arrays: [String: Self] = ["scalar": .numpyScalar, "_reconstruct": .numpyArray]
    private static let paths: Set<String> = [
        "Path", "PosixPath", "PurePath", "PurePosixPath", "PureWindowsPath", "WindowsPath",
    ]
}
