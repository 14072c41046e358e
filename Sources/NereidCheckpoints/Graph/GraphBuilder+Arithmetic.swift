// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Operations on values of any shape, as decoding and attention need them.
extension GraphBuilder {
    mutating func sum(_ left: GraphValue, _ right: GraphValue, at path: String) -> GraphValue {
        add("Add", [left, right], at: path)
    }

    mutating func difference(_ left: GraphValue, _ right: GraphValue, at path: String) -> GraphValue {
        add("Sub", [left, right], at: path)
    }

    mutating func product(_ left: GraphValue, _ right: GraphValue, at path: String) -> GraphValue {
        add("Mul", [left, right], at: path)
    }

    mutating func matrixProduct(_ left: GraphValue, _ right: GraphValue, at path: String) -> GraphValue {
        add("MatMul", [left, right], at: path)
    }

    mutating func sigmoid(_ value: GraphValue, at path: String) -> GraphValue {
        add("Sigmoid", [value], at: path)
    }

    mutating func softmax(_ value: GraphValue, axis: Int, at path: String) -> GraphValue {
        add("Softmax", [value], [.integer("axis", axis)], at: path)
    }

    /// The same elements in another shape: 0 keeps a dimension, -1 is what remains.
    mutating func reshape(_ value: GraphValue, _ shape: [Int], at path: String) -> GraphValue {
        add("Reshape", [value, integers(shape)], at: path)
    }

    /// The same elements in the shape of another value.
    mutating func reshape(_ value: GraphValue, like other: GraphValue, at path: String) -> GraphValue {
        let shape = add("Shape", [other], at: path)
        return add("Reshape", [value, shape], at: path)
    }

    mutating func transpose(_ value: GraphValue, _ order: [Int], at path: String) -> GraphValue {
        add("Transpose", [value], [.integers("perm", order)], at: path)
    }

    mutating func concatenation(_ values: [GraphValue], axis: Int, at path: String) -> GraphValue {
        values.count == 1 ? values[0] : add("Concat", values, [.integer("axis", axis)], at: path)
    }

    mutating func split(_ value: GraphValue, into sizes: [Int], axis: Int, at path: String) -> [GraphValue] {
        guard sizes.count > 1 else { return [value] }
        return add("Split", [value, integers(sizes)], [.integer("axis", axis)], at: path, outputs: sizes.count)
    }

    mutating func unsqueeze(_ value: GraphValue, axis: Int, at path: String) -> GraphValue {
        add("Unsqueeze", [value, integers([axis])], at: path)
    }

    mutating func gather(_ value: GraphValue, _ indices: GraphValue, axis: Int, at path: String) -> GraphValue {
        add("GatherElements", [value, indices], [.integer("axis", axis)], at: path)
    }

    /// Repeats a value along its dimensions of length 1.
    mutating func expand(_ value: GraphValue, _ shape: [Int], at path: String) -> GraphValue {
        add("Expand", [value, integers(shape)], at: path)
    }

    /// The largest elements along the last dimension and their places, largest first.
    mutating func largest(
        _ value: GraphValue,
        count: GraphValue,
        at path: String
    ) -> (values: GraphValue, places: GraphValue) {
        let attributes: [Attribute] = [.integer("axis", -1), .integer("largest", 1), .integer("sorted", 1)]
        let both = add("TopK", [value, count], attributes, at: path, outputs: 2)
        return (both[0], both[1])
    }
}
