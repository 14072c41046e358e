// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Weights of a layer, computed from the checkpoint when they are wanted and not before.
///
/// A network's weights are most of its size. Kept as a recipe they are in memory one layer at a time.
struct Weights: Sendable {
    let shape: [Int]
    /// The number of elements.
    let count: Int
    private let recipe: @Sendable () throws -> [Float]

    /// The recipe gives as many elements as the shape holds, the last dimension first.
    init(shape: [Int], count: Int, recipe: @escaping @Sendable () throws -> [Float]) {
        self.shape = shape
        self.count = count
        self.recipe = recipe
    }

    /// Computes the elements, the last dimension first.
    func elements() throws -> [Float] {
        try recipe()
    }

    /// The same elements under another shape of as many.
    func reshaped(_ shape: [Int]) -> Weights {
        Weights(shape: shape, count: count, recipe: recipe)
    }

    /// The weights with everything of each first index multiplied by that index's factor.
    func scaled(_ factors: [Float]) -> Weights {
        let slice = factors.isEmpty ? 0 : count / factors.count
        return Weights(shape: shape, count: count) { [recipe] in
            var elements = try recipe()
            elements.withUnsafeMutableBufferPointer { elements in
                for (index, factor) in factors.enumerated() {
                    for position in index * slice..<(index + 1) * slice {
                        elements[position] *= factor
                    }
                }
            }
            return elements
        }
    }

    /// Some rows of a matrix.
    func rows(_ rows: Range<Int>) -> Weights {
        let width = shape[1]
        return Weights(shape: [rows.count, width], count: rows.count * width) { [recipe] in
            Array(try recipe()[rows.lowerBound * width..<rows.upperBound * width])
        }
    }

    /// The sum of weights of the same shape.
    func adding(_ other: Weights) -> Weights {
        Weights(shape: shape, count: count) { [recipe] in
            var elements = try recipe()
            let others = try other.elements()
            for position in elements.indices {
                elements[position] += others[position]
            }
            return elements
        }
    }

    /// Convolution weights `[out, in, h, w]` as the middle of larger kernels, with zeros around.
    func padded(height: Int, width: Int) -> Weights {
        let (innerHeight, innerWidth) = (shape[2], shape[3])
        let (top, left) = ((height - innerHeight) / 2, (width - innerWidth) / 2)
        let kernels = shape[0] * shape[1]
        return Weights(shape: [shape[0], shape[1], height, width], count: kernels * height * width) { [recipe] in
            let inner = try recipe()
            var elements = [Float](repeating: 0, count: kernels * height * width)
            for kernel in 0..<kernels {
                for row in 0..<innerHeight {
                    for column in 0..<innerWidth {
                        elements[(kernel * height + top + row) * width + left + column] =
                            inner[(kernel * innerHeight + row) * innerWidth + column]
                    }
                }
            }
            return elements
        }
    }

    /// Kernels of convolutions over a picture whose 2×2 blocks of pixels were stacked into channels, as kernels of twice the
    /// size over the picture itself.
    ///
    /// The stack holds the pixels (row, column) of each block in the order (0,0), (1,0), (0,1), (1,1), each with all
    /// channels: `Focus` in YOLOv5's `models/common.py`.
    func unstacked() -> Weights {
        let (outputs, stacked, height, width) = (shape[0], shape[1], shape[2], shape[3])
        let channels = stacked / 4
        let newShape = [outputs, channels, 2 * height, 2 * width]
        return Weights(shape: newShape, count: count) { [recipe, count] in
            let source = try recipe()
            var elements = [Float](repeating: 0, count: count)
            for output in 0..<outputs {
                for input in 0..<stacked {
                    let (block, channel) = (input / channels, input % channels)
                    let (blockRow, blockColumn) = (block % 2, block / 2)
                    for row in 0..<height {
                        for column in 0..<width {
                            let target =
                                ((output * channels + channel) * 2 * height + 2 * row + blockRow) * 2 * width
                                + 2 * column + blockColumn
                            elements[target] = source[((output * stacked + input) * height + row) * width + column]
                        }
                    }
                }
            }
            return elements
        }
    }
}
