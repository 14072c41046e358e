// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Why a checkpoint that could be read does not become a graph; each case prints what happened, to what, and what to do.
public enum ConversionError: Error, Sendable, Equatable {
    /// The file has weights, but not the modules that they belong to.
    case architectureMissing(found: String)
    /// The file has neither a model nor weights where frameworks put them.
    case modelMissing(found: String)
    /// Something else stands where a module belongs, such as the result of a call that the file asks for.
    case notAModule(path: String, found: String)
    /// The module's class is not among those that can be converted.
    case unsupportedModule(className: String, path: String)
    /// The module's class is known, but not with this setting.
    case unsupportedSetting(path: String, reason: String)
    /// The module contradicts itself or its neighbours.
    case inconsistent(path: String, reason: String)
    /// The network was made for pictures of another number of channels than 3.
    case pictureChannels(count: Int, path: String)
    /// Modules lie in each other deeper than in any real network, or in a circle.
    case nestedTooDeeply(path: String, limit: Int)
    /// The network has more modules than any real one, or the same ones are used over and over.
    case tooManyModules(limit: Int)
    /// The network does not have the head that was asked for.
    case headUnavailable(HeadChoice, path: String)
    /// The graph is larger than the format allows.
    case graphTooLarge(byteCount: Int, limit: Int)
    /// The graph is many times the checkpoint, because the same weights stand in many places.
    case weightsRepeated(byteCount: Int, checkpointByteCount: Int)
    /// The graph cannot be written.
    case writingFailed(path: String, reason: String)
}

extension ConversionError: CustomStringConvertible {
    /// What happened, to what, and what to do.
    public var description: String {
        switch self {
        case .architectureMissing(let found):
            """
            the checkpoint holds weights without the network that they belong to (\(found)); \
            save the whole model (torch.save({'model': model}, path)), or export it to ONNX with the code that defines it
            """
        case .modelMissing(let found):
            """
            the checkpoint holds no model: \(found); YOLOv5 and Ultralytics keep it under ‘model’ or ‘ema’
            """
        case .notAModule(let path, let found):
            """
            \(Self.place(path)) is not a module but \(found); nothing in a checkpoint is ever executed, \
            so if the framework wrote this file, export the model to ONNX there
            """
        case .unsupportedModule(let className, let path):
            """
            \(Self.place(path)) is a \(Excerpt(className)), which Nereid can't convert; \
            export the model to ONNX with the framework that trained it, or add the class as docs/checkpoints.md says
            """
        case .unsupportedSetting(let path, let reason):
            """
            \(Self.place(path)) can't be converted: \(reason); export the model to ONNX with the framework that trained it
            """
        case .inconsistent(let path, let reason):
            """
            \(Self.place(path)) is damaged: \(reason); save the checkpoint again with the framework that trained it
            """
        case .pictureChannels(let count, let path):
            """
            the network takes pictures of \(count) \(count == 1 ? "channel" : "channels") (\(Self.place(path))), and Nereid \
            feeds 3: red, green and blue; \(Self.advice(channels: count))
            """
        case .nestedTooDeeply(let path, let limit):
            """
            \(Self.place(path)) lies more than \(limit) modules deep or within itself; \
            the checkpoint is damaged or made to do harm
            """
        case .tooManyModules(let limit):
            "the network has more than \(limit) modules; the checkpoint is damaged or made to do harm"
        case .headUnavailable(.oneToOne, let path):
            "\(Self.place(path)) has no one-to-one head; use the one-to-many head with non-maximum suppression"
        case .headUnavailable(_, let path):
            "\(Self.place(path)) has no one-to-many head any more; use the one-to-one head"
        case .graphTooLarge(let byteCount, let limit):
            """
            the graph would take \(byteCount) bytes or more and ONNX files end at \(limit); \
            keep the weights in half precision
            """
        case .weightsRepeated(let byteCount, let checkpointByteCount):
            """
            the graph would take \(byteCount) bytes from a checkpoint of \(checkpointByteCount): its weights are used \
            over and over; the checkpoint is damaged or made to do harm
            """
        case .writingFailed(let path, let reason):
            "‘\(path)’ cannot be written: \(reason)"
        }
    }

    private static func advice(channels: Int) -> String {
        channels == 1
            ? "train it for 3, with the grey repeated in each, or export it to ONNX with a graph that makes grey of RGB"
            : "train it for 3, for example with ‘channels: 3’ in the data set's YAML file of Ultralytics"
    }

    private static func place(_ path: String) -> String {
        path.isEmpty ? "the model in the checkpoint" : "\(Excerpt(path)) in the checkpoint"
    }
}
