// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// The graph's end as the framework's own export has it.
///
/// Source: `DFL` in `ultralytics/nn/modules/block.py`; `dist2bbox` and `dist2rbox` in `ultralytics/utils/tal.py`;
/// `Detect.postprocess` in `ultralytics/nn/modules/head.py`.
extension AnchorFreeHead {
    /// The best answers of a one-to-one head are as many.
    private static let answerCount = 300

    /// `[batch, 4 + classes + extra, cells]`, or of a one-to-one head `[batch, 300, 6 + extra]`, best first.
    func decode(_ levels: [Level], in graph: inout GraphBuilder) {
        var (boxes, scores, extras): ([GraphValue], [GraphValue], [GraphValue]) = ([], [], [])
        for level in levels {
            let cells = graph.cells(of: level.boxes, offset: 0.5, at: path)
            let centres = graph.concatenation(
                [cells.x, cells.y].map { graph.unsqueeze($0, axis: 0, at: path) },
                axis: 0,
                at: path
            )
            let flatExtra = level.extra.map { graph.reshape($0.value, [0, $0.channels, -1], at: path) }
            boxes.append(box(level, centres: centres, angle: flatExtra, in: &graph))
            scores.append(graph.reshape(level.classes.value, [0, classCount, -1], at: path))
            guard let flatExtra else { continue }
            if case .keypoints(let count, let dimensions) = extra {
                extras.append(
                    keypoints(flatExtra, count, dimensions, stride: level.stride, centres: centres, in: &graph)
                )
            } else {
                extras.append(flatExtra)
            }
        }
        let allBoxes = graph.concatenation(boxes, axis: 2, at: path)
        let allScores = graph.sigmoid(graph.concatenation(scores, axis: 2, at: path), at: path)
        let allExtras = extras.isEmpty ? [] : [graph.concatenation(extras, axis: 2, at: path)]
        let extraCount = extraBranches.first?.last.outputs ?? 0
        if isOneToOne {
            let best = best(boxes: allBoxes, scores: allScores, extras: allExtras, extraCount, in: &graph)
            graph.output(best, named: "output0", [.batch, "answers", .fixed(6 + extraCount)])
        } else {
            let whole = graph.concatenation([allBoxes, allScores] + allExtras, axis: 1, at: path)
            graph.output(whole, named: "output0", [.batch, .fixed(4 + classCount + extraCount), "cells"])
        }
    }

    /// `[batch, 4, cells]` in pixels: centre and size, but corners from a one-to-one head without angle.
    private func box(
        _ level: Level,
        centres: GraphValue,
        angle: GraphValue?,
        in graph: inout GraphBuilder
    ) -> GraphValue {
        let sides = graph.split(distances(level.boxes, in: &graph), into: [2, 2], axis: 1, at: path)
        let (near, far) = (sides[0], sides[1])
        let half = graph.real(0.5)
        let box: [GraphValue]
        if case .angle = extra, let angle {
            let offset = graph.product(graph.difference(far, near, at: path), half, at: path)
            let axes = graph.split(offset, into: [1, 1], axis: 1, at: path)
            let (cosine, sine) = (graph.add("Cos", [angle], at: path), graph.add("Sin", [angle], at: path))
            let x = graph.difference(
                graph.product(axes[0], cosine, at: path),
                graph.product(axes[1], sine, at: path),
                at: path
            )
            let y = graph.sum(
                graph.product(axes[0], sine, at: path),
                graph.product(axes[1], cosine, at: path),
                at: path
            )
            let turned = graph.concatenation([x, y], axis: 1, at: path)
            box = [graph.sum(turned, centres, at: path), graph.sum(near, far, at: path)]
        } else {
            let first = graph.difference(centres, near, at: path)
            let second = graph.sum(centres, far, at: path)
            if isOneToOne {
                box = [first, second]
            } else {
                let middle = graph.product(graph.sum(first, second, at: path), half, at: path)
                box = [middle, graph.difference(second, first, at: path)]
            }
        }
        let inCells = graph.concatenation(box, axis: 1, at: path)
        return graph.product(inCells, graph.real(Float(level.stride)), at: path)
    }

    /// `[batch, 4, cells]` in cells: the mean of each distribution over bins 0, 1, 2, ….
    private func distances(_ map: FeatureMap, in graph: inout GraphBuilder) -> GraphValue {
        guard binCount > 1 else { return graph.reshape(map.value, [0, 4, -1], at: path) }
        let byBin = graph.reshape(map.value, [0, 4, binCount, -1], at: path)
        let shares = graph.softmax(byBin, axis: 2, at: path)
        let bins = graph.reals((0..<binCount).map(Float.init), shape: [1, 1, binCount, 1])
        let weighted = graph.product(shares, bins, at: path)
        return graph.add("ReduceSum", [weighted, graph.integers([2])], [.integer("keepdims", 0)], at: path)
    }

    /// `[batch, count · dimensions, cells]`: x and y in pixels, visibility as a probability.
    private func keypoints(
        _ value: GraphValue,
        _ count: Int,
        _ dimensions: Int,
        stride: Int,
        centres: GraphValue,
        in graph: inout GraphBuilder
    ) -> GraphValue {
        let byPoint = graph.reshape(value, [0, count, dimensions, -1], at: path)
        let parts = graph.split(byPoint, into: dimensions == 3 ? [2, 1] : [2], axis: 2, at: path)
        let placed = graph.sum(parts[0], centres, at: path)
        let inPixels = graph.product(placed, graph.real(Float(stride)), at: path)
        let visibility = parts.dropFirst().map { graph.sigmoid($0, at: path) }
        let joined = graph.concatenation([inPixels] + visibility, axis: 2, at: path)
        return graph.reshape(joined, [0, count * dimensions, -1], at: path)
    }

    /// The best pairs of cell and class among the cells with the best classes: `[batch, 300, 6 + extra]`, fewer when there are
    /// fewer cells. A row is box, score, class, extra.
    private func best(
        boxes: GraphValue,
        scores: GraphValue,
        extras: [GraphValue],
        _ extraCount: Int,
        in graph: inout GraphBuilder
    ) -> GraphValue {
        let rows = graph.transpose(scores, [0, 2, 1], at: path)
        let shape = graph.add("Shape", [rows], at: path)
        let cellCount = graph.add("Gather", [shape, graph.integers([1])], [.integer("axis", 0)], at: path)
        let count = graph.add("Min", [cellCount, graph.integers([Self.answerCount])], at: path)

        let bestOfCell = graph.add("ReduceMax", [rows], [.integers("axes", [2]), .integer("keepdims", 0)], at: path)
        let cells = graph.largest(bestOfCell, count: count, at: path).places
        let cellScores = graph.gather(rows, index(cells, width: classCount, in: &graph), axis: 1, at: path)
        let pairs = graph.largest(graph.reshape(cellScores, [0, -1], at: path), count: count, at: path)

        let classes = graph.integers([classCount])
        let place = graph.add("Div", [pairs.places, classes], at: path)
        let classID = graph.add("Mod", [pairs.places, classes], at: path)
        let cell = graph.gather(cells, place, axis: 1, at: path)

        let toFloat = GraphBuilder.Attribute.integer("to", Onnx_TensorProto.DataType.float.rawValue)
        let columns = [pairs.values, graph.add("Cast", [classID], [toFloat], at: path)]
        var parts = columns.map { graph.unsqueeze($0, axis: 2, at: path) }
        for (value, width, position) in [(boxes, 4, 0)] + extras.map({ ($0, extraCount, 3) }) {
            let ofCells = graph.transpose(value, [0, 2, 1], at: path)
            let chosen = graph.gather(ofCells, index(cell, width: width, in: &graph), axis: 1, at: path)
            parts.insert(chosen, at: position)
        }
        return graph.concatenation(parts, axis: 2, at: path)
    }

    /// The numbers of rows, repeated for each of a row's elements.
    private func index(_ rows: GraphValue, width: Int, in graph: inout GraphBuilder) -> GraphValue {
        graph.expand(graph.unsqueeze(rows, axis: 2, at: path), [1, 1, width], at: path)
    }
}
