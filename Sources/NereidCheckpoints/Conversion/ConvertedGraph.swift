// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation

/// A graph that was made from a checkpoint: an ONNX model and what is to be known about it.
///
/// The weights are read from the checkpoint while the model is written, one layer at a time; it stays open as long as this
/// value lives.
public struct ConvertedGraph: Sendable {
    /// What the graph is and how its outputs are to be read.
    public let description: Description
    /// The number of bytes of the ONNX model.
    public var byteCount: Int { file.byteCount }

    let file: ModelFile

    /// What a graph is and how its outputs are to be read.
    public struct Description: Sendable, Hashable {
        /// What the network does.
        public let task: NetworkTask
        /// How the outputs are laid out.
        public let layout: GraphLayout
        /// The code that trained the network.
        public let framework: TrainingFramework
        /// One name for each class, in the order of training.
        public let labels: [String]
        /// The pixels of the picture to each cell of each level; empty when the network has no levels. Pictures have to be
        /// multiples of the largest in width and height.
        public let strides: [Int]
        /// The size in pixels that the network was trained with, where the checkpoint says it.
        public let inputSize: InputSize?
        /// Whether several answers to an object have to be suppressed.
        public let needsSuppression: Bool
        /// The names of the graph's outputs, without those of single layers.
        public let outputs: [String]
        /// All metadata of the graph, in its order: `names`, `stride`, `task`, `nereid.layout` and so on.
        public let metadata: [MetadataEntry]

        /// The value of an entry of the metadata; `nil` when there is none.
        public func metadataValue(_ key: String) -> String? {
            metadata.first { $0.key == key }?.value
        }
    }

    /// A key of the metadata and its value.
    public struct MetadataEntry: Sendable, Hashable {
        /// The key.
        public let key: String
        /// The value.
        public let value: String
    }

    /// A height and a width in pixels.
    public struct InputSize: Sendable, Hashable {
        /// Rows.
        public let height: Int
        /// Columns.
        public let width: Int
    }

    init(description: Description, file: ModelFile) {
        self.description = description
        self.file = file
    }

    /// The ONNX model as bytes.
    ///
    /// - Throws: ``CheckpointError`` when the checkpoint's weights cannot be read.
    public func bytes() throws -> [UInt8] {
        try [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
            let memory = UnsafeMutableRawBufferPointer(buffer)
            try file.write { piece in
                guard piece.count <= memory.count - count else {
                    throw ConversionError.writingFailed(path: "memory", reason: "the graph is longer than expected")
                }
                memory[count..<count + piece.count].copyBytes(from: piece)
                count += piece.count
            }
        }
    }

    /// Writes the ONNX model to a file, replacing what is there.
    ///
    /// The file comes into place when it is whole: it is written under another name in the same folder first.
    ///
    /// - Throws: ``ConversionError/writingFailed(path:reason:)``, or ``CheckpointError`` when the checkpoint's weights cannot
    ///   be read.
    public func write(toFile path: String) throws {
        let temporary = "\(path).\(UUID().uuidString).part"
        guard FileManager.default.createFile(atPath: temporary, contents: nil),
            let handle = FileHandle(forWritingAtPath: temporary)
        else {
            let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
            throw ConversionError.writingFailed(path: path, reason: "no file can be made in ‘\(folder)’")
        }
        do {
            try file.write { piece in
                do {
                    try handle.write(contentsOf: Data(piece))
                } catch {
                    throw ConversionError.writingFailed(path: path, reason: error.localizedDescription)
                }
            }
            try handle.close()
            guard rename(temporary, path) == 0 else {
                throw ConversionError.writingFailed(path: path, reason: String(cString: strerror(errno)))
            }
        } catch {
            try? handle.close()
            try? FileManager.default.removeItem(atPath: temporary)
            throw error
        }
    }
}

/// What a network does.
public enum NetworkTask: String, Sendable, Hashable, CaseIterable {
    /// Boxes.
    case detect
    /// Boxes with masks.
    case segment
    /// Boxes with keypoints.
    case pose
    /// Rotated boxes.
    case obb
    /// Classes of the whole picture.
    case classify
}

/// How a graph's outputs are laid out.
public enum GraphLayout: String, Sendable, Hashable, CaseIterable {
    /// YOLOv5's maps before decoding: `map0`, `map1`, …, each `[batch, anchors · attributes, height, width]`.
    case anchorMaps = "yolov5.maps"
    /// Ultralytics' maps before decoding: `boxes0`, `classes0`, … and by task `masks0`, `keypoints0`, `angles0`, ….
    case distanceMaps = "yolov8.maps"
    /// As the framework's own export: `output0`, and `output1` for prototypes of masks.
    case decoded
    /// Classes' probabilities: `probabilities`, `[batch, classes]`.
    case probabilities
    /// Detectron2's RetinaNet before decoding: `classes0`, `deltas0`, `classes1`, …; see ``Detectron2Converter``.
    case retinaNetMaps = "detectron2.retinanet"
    /// The first stage of Detectron2's R-CNNs: maps of proposals before decoding, and the features that regions are cut from.
    case proposalMaps = "detectron2.rcnn"
    /// Their second stage: classes and boxes of regions.
    case regionClasses = "detectron2.boxes"
    /// Their third stage: masks of regions.
    case regionMasks = "detectron2.masks"
}

/// The code that trained a network.
public enum TrainingFramework: String, Sendable, Hashable, CaseIterable {
    /// YOLOv5, and YOLOv3 of the same code.
    case yolov5
    /// The Ultralytics package.
    case ultralytics
    /// Detectron2.
    case detectron2
}
