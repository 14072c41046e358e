// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Crypto

/// Makes ONNX graphs from the networks in YOLOv5's and Ultralytics' checkpoints.
///
/// The graph takes `images`, `[batch, 3, height, width]` of float32: RGB from 0 to 1, any batch, height and width as long as
/// both are multiples of the largest stride. ``GraphLayout`` says what it gives, and its metadata says it to others.
public enum CheckpointConverter {
    /// Counts up when the same checkpoint gives another graph than before, so that kept graphs are made anew.
    public static let version = 2

    /// Makes a graph from a checkpoint.
    ///
    /// The whole network is checked here; its weights are read when the graph is written.
    ///
    /// - Parameters:
    ///   - checkpoint: A file of YOLOv5 (release 3 or later), YOLOv3 of the same code, or Ultralytics (8.0 or later).
    ///   - options: Where the graph ends, which head answers, and in what precision.
    /// - Throws: ``ConversionError``, or ``CheckpointError`` when a tensor cannot be read.
    public static func convert(
        _ checkpoint: Checkpoint,
        options: ConversionOptions = ConversionOptions()
    ) throws -> ConvertedGraph {
        let model = try CheckpointModel(checkpoint)
        var graph = GraphBuilder(precision: options.precision)
        let images = graph.input("images", [.batch, 3, "height", "width"])
        let picture = try model.picture(FeatureMap(value: images, channels: 3), in: &graph)
        var network = NetworkTranslator(graph: graph)
        let reading = try network.translate(model, picture, options: options)

        let labels = model.labels(count: reading.classCount)
        let metadata = metadata(
            reading,
            labels: labels,
            framework: model.framework,
            inputSize: model.inputSize,
            source: try hash(of: checkpoint)
        )
        let file = try network.graph.finished(metadata: metadata, producerVersion: String(version))
        // Half precision doubles in float32; more comes from weights that are used over and over.
        guard file.byteCount <= 4 * checkpoint.byteCount + spareByteCount else {
            throw ConversionError.weightsRepeated(
                byteCount: file.byteCount,
                checkpointByteCount: checkpoint.byteCount
            )
        }
        let description = ConvertedGraph.Description(
            task: reading.task,
            layout: reading.layout,
            framework: model.framework,
            labels: labels.names,
            strides: reading.strides,
            inputSize: model.inputSize,
            needsSuppression: reading.needsSuppression,
            outputs: reading.outputs,
            metadata: metadata.map { ConvertedGraph.MetadataEntry(key: $0.key, value: $0.value) }
        )
        return ConvertedGraph(description: description, file: file)
    }

    /// What a graph may have beyond its checkpoint's weights: its nodes, and weights that are views of larger ones.
    static let spareByteCount = 1 << 26

    private static func metadata(
        _ reading: HeadReading,
        labels: CheckpointLabels,
        framework: TrainingFramework,
        inputSize: ConvertedGraph.InputSize?,
        source: String
    ) -> [(key: String, value: String)] {
        var metadata = [
            (key: GraphMetadata.task, value: reading.task.rawValue),
            (GraphMetadata.names, GraphMetadata.pythonDictionary(labels.names)),
            (GraphMetadata.framework, framework.rawValue),
            (GraphMetadata.layout, reading.layout.rawValue),
            (GraphMetadata.source, source),
            (GraphMetadata.converter, String(version)),
        ]
        if !labels.warnings.isEmpty {
            let warnings = labels.warnings.map(GraphMetadata.pythonString).joined(separator: ", ")
            metadata.append((GraphMetadata.warnings, "[\(warnings)]"))
        }
        if let inputSize {
            metadata.append((GraphMetadata.inputSize, "[\(inputSize.height), \(inputSize.width)]"))
        }
        if let largest = reading.strides.max() {
            metadata.append((GraphMetadata.stride, String(largest)))
            metadata.append((GraphMetadata.strides, "[\(reading.strides.map(String.init).joined(separator: ","))]"))
            metadata.append((GraphMetadata.suppression, reading.needsSuppression ? "nms" : "none"))
        }
        return metadata + reading.metadata
    }

    /// The SHA-256 of a checkpoint, as 64 hexadecimal digits.
    static func hash(of checkpoint: Checkpoint) throws -> String {
        let digest = try checkpoint.withContents { contents in
            contents.withUnsafeBytes { bytes in
                var hash = SHA256()
                hash.update(bufferPointer: bytes)
                return hash.finalize()
            }
        }
        return digest.map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }
}
