// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// A convolution with everything that is folded into it.
struct Convolution: Sendable {
    /// `[outputs, inputs / groups, height, width]`; of a transposed convolution `[inputs, outputs / groups, height, width]`.
    var weights: Weights
    /// One number for each output channel.
    var bias: [Float]?
    var stride = Extent(1)
    var padding = Padding()
    var dilation = Extent(1)
    var groups = 1
    /// The gradient's convolution, which enlarges: `ConvTranspose2d`.
    var isTransposed = false

    /// A height and a width.
    struct Extent: Sendable, Hashable {
        var height: Int
        var width: Int

        init(height: Int, width: Int) {
            self.height = height
            self.width = width
        }

        init(_ both: Int) {
            self.init(height: both, width: both)
        }
    }

    /// What is added around a map, in pixels.
    struct Padding: Sendable, Hashable {
        var top = 0
        var left = 0
        var bottom = 0
        var right = 0

        init() {}

        init(_ extent: Extent) {
            (top, left, bottom, right) = (extent.height, extent.width, extent.height, extent.width)
        }

        init(left: Int, right: Int, top: Int, bottom: Int) {
            (self.top, self.left, self.bottom, self.right) = (top, left, bottom, right)
        }

        /// ONNX's order: the beginnings of all dimensions, then the ends.
        var beginningsAndEnds: [Int] { [top, left, bottom, right] }
    }

    var inputs: Int { isTransposed ? weights.shape[0] : weights.shape[1] * groups }
    var outputs: Int { isTransposed ? weights.shape[1] * groups : weights.shape[0] }
    var kernel: Extent { Extent(height: weights.shape[2], width: weights.shape[3]) }

    /// The convolution followed by `factor · x + shift` in each output channel.
    ///
    /// Only for convolutions that aren't transposed, whose first dimension is the output.
    func followed(by scaling: ChannelScaling) -> Convolution {
        var folded = self
        folded.weights = weights.scaled(scaling.factors)
        folded.bias = scaling.factors.indices.map { channel in
            (bias?[channel] ?? 0) * scaling.factors[channel] + scaling.shifts[channel]
        }
        return folded
    }

    /// One convolution that gives the sum of two with the same stride, channels and groups, whose maps are of one size.
    /// `nil` when there is none.
    func merged(with other: Convolution) -> Convolution? {
        guard stride == other.stride, groups == other.groups, outputs == other.outputs, inputs == other.inputs,
            dilation == Extent(1), other.dilation == Extent(1), !isTransposed, !other.isTransposed
        else { return nil }
        let larger = kernel.height >= other.kernel.height ? self : other
        let smaller = kernel.height >= other.kernel.height ? other : self
        let rows = larger.kernel.height - smaller.kernel.height
        let columns = larger.kernel.width - smaller.kernel.width
        var grown = smaller.padding
        (grown.top, grown.bottom) = (grown.top + rows / 2, grown.bottom + rows / 2)
        (grown.left, grown.right) = (grown.left + columns / 2, grown.right + columns / 2)
        guard rows >= 0, columns >= 0, rows % 2 == 0, columns % 2 == 0, grown == larger.padding else { return nil }
        var sum = larger
        let enlarged = smaller.weights.padded(height: larger.kernel.height, width: larger.kernel.width)
        sum.weights = larger.weights.adding(enlarged)
        sum.bias = (0..<outputs).map { (bias?[$0] ?? 0) + (other.bias?[$0] ?? 0) }
        return sum
    }
}

/// A factor and a shift for each channel: what batch normalisation comes to once a network is trained.
struct ChannelScaling: Sendable {
    var factors: [Float]
    var shifts: [Float]

    /// The scaling of some of the channels.
    subscript(channels: Range<Int>) -> ChannelScaling {
        ChannelScaling(factors: Array(factors[channels]), shifts: Array(shifts[channels]))
    }
}
