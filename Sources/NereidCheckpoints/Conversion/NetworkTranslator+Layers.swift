// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension NetworkTranslator {
    /// Writes a whole network: its layers in order, each from the outputs of those that it names, then the head.
    ///
    /// Source: `_forward_once` in YOLOv5's `models/yolo.py`; `_predict_once` in `ultralytics/nn/tasks.py`.
    mutating func translate(
        _ model: CheckpointModel,
        _ input: FeatureMap,
        options: ConversionOptions
    ) throws -> HeadReading {
        var outputs: [[FeatureMap]] = []
        for (index, layer) in model.layers.dropLast().enumerated() {
            let sources = try sources(of: layer, at: index).map { $0.map { outputs[$0] } ?? [input] }
            outputs.append(try translate(layer, several: sources))
        }
        let last = model.layers[model.layers.count - 1]
        guard let type = NetworkHeads.head(for: last) else {
            throw ConversionError.unsupportedModule(className: last.qualifiedName, path: last.path)
        }
        let head = try type.init(reading: last, model: model.module, options: options)
        let sources = try sources(of: last, at: outputs.count).flatMap { $0.map { outputs[$0] } ?? [input] }
        var reading = try head.write(to: &self, from: sources, ending: options.ending)
        reading.outputs = graph.outputNames
        if options.layerOutputs {
            for (index, maps) in outputs.enumerated() where maps.count == 1 {
                let rows = "layer\(index) rows"
                graph.output(maps[0], named: "layer\(index)", height: rows, width: "layer\(index) columns")
            }
        }
        return reading
    }

    /// The layers that a layer computes from; `nil` is the picture.
    private func sources(of layer: Module, at index: Int) throws -> [Int?] {
        let stated: [Int]
        if let value = layer.value("f"), value.integer == nil {
            stated = try layer.integers("f")
        } else {
            stated = [try layer.integer("f", default: -1)]
        }
        guard !stated.isEmpty, stated.count <= 64 else {
            throw layer.inconsistent("it takes its input from \(stated.count) layers")
        }
        return try stated.map { number in
            if number == -1 && index == 0 { return nil }
            // A negative number counts back from the layer itself.
            let (source, overflows) = number < 0 ? index.addingReportingOverflow(number) : (number, false)
            guard !overflows, (0..<index).contains(source) else {
                throw layer.inconsistent("it takes its input from layer \(number), which is not before it")
            }
            return source
        }
    }
}
