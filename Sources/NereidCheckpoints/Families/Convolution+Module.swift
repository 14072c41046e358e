// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension Convolution {
    /// Strides and paddings beyond this are no network's.
    private static let largestSetting = 1 << 12

    /// Reads a `Conv2d`.
    init(of module: Module) throws {
        try self.init(module, isTransposed: false)
    }

    /// Reads a `ConvTranspose2d`.
    init(ofTransposed module: Module) throws {
        try self.init(module, isTransposed: true)
        guard try module.pair("output_padding", default: (0, 0)) == (0, 0) else {
            throw ConversionError.unsupportedSetting(path: module.path, reason: "it has output padding")
        }
    }

    /// Reads a block of `conv` and, unless the framework has fused it, `bn`.
    init(ofBlock module: Module) throws {
        self = try Convolution(of: module.child("conv"))
        guard let normalisation = try module.optionalChild("bn") else { return }
        self = try followed(by: ChannelScaling(of: normalisation, channels: outputs))
    }

    private init(_ module: Module, isTransposed: Bool) throws {
        guard module.className == (isTransposed ? "ConvTranspose2d" : "Conv2d") else {
            throw ConversionError.unsupportedModule(className: module.qualifiedName, path: module.path)
        }
        let weights = try module.weights("weight")
        guard weights.shape.count == 4, weights.shape.allSatisfy({ $0 > 0 }) else {
            throw module.inconsistent("its weights have the shape \(weights.shape), not four dimensions")
        }
        self.weights = weights
        self.isTransposed = isTransposed

        groups = try module.integer("groups", default: 1)
        let (stride, padding) = (
            try module.pair("stride", default: (1, 1)), try module.pair("padding", default: (0, 0))
        )
        let dilation = try module.pair("dilation", default: (1, 1))
        let sizes = 1...Self.largestSetting
        guard sizes.contains(groups), weights.shape[0] % groups == 0 else {
            throw module.inconsistent("\(weights.shape[0]) channels can't be in \(groups) groups")
        }
        guard [stride.0, stride.1, dilation.0, dilation.1].allSatisfy(sizes.contains),
            [padding.0, padding.1].allSatisfy((0...Self.largestSetting).contains)
        else {
            throw module.inconsistent("its stride \(stride), padding \(padding) or dilation \(dilation) makes no sense")
        }
        self.stride = Extent(height: stride.0, width: stride.1)
        self.padding = Padding(Extent(height: padding.0, width: padding.1))
        self.dilation = Extent(height: dilation.0, width: dilation.1)

        let kernelSize = try module.pair("kernel_size", default: (kernel.height, kernel.width))
        guard kernelSize == (kernel.height, kernel.width) else {
            throw module.inconsistent("its kernel is \(kernelSize), its weights have the shape \(weights.shape)")
        }
        for (name, channels) in [("in_channels", inputs), ("out_channels", outputs)] {
            let stated = try module.integer(name, default: channels)
            guard stated == channels else {
                throw module.inconsistent("it says \(stated) \(name), its weights have the shape \(weights.shape)")
            }
        }
        guard try module.text("padding_mode", default: "zeros") == "zeros" else {
            throw ConversionError.unsupportedSetting(path: module.path, reason: "its padding is not of zeros")
        }
        bias = try module.optionalNumbers("bias")
        if let bias, bias.count != outputs {
            throw module.inconsistent("it has \(bias.count) biases for \(outputs) channels")
        }
    }
}

extension ChannelScaling {
    /// Reads a `BatchNorm2d` in evaluation: `(x − mean) / √(variance + eps) · weight + bias`.
    ///
    /// - Parameter channels: The number of channels that it has to have; `nil` when any number is right.
    init(of module: Module, channels: Int? = nil) throws {
        guard module.className == "BatchNorm2d" || module.className == "SyncBatchNorm" else {
            throw ConversionError.unsupportedModule(className: module.qualifiedName, path: module.path)
        }
        let means = try module.numbers("running_mean")
        let variances = try module.numbers("running_var")
        let gains = try module.optionalNumbers("weight") ?? means.map { _ in 1 }
        let biases = try module.optionalNumbers("bias") ?? means.map { _ in 0 }
        let count = channels ?? means.count
        guard [means, variances, gains, biases].allSatisfy({ $0.count == count }) else {
            throw module.inconsistent(
                "it normalises \(means.count) channels with \(variances.count) variances, \(gains.count) weights and "
                    + "\(biases.count) biases; \(count) channels go in"
            )
        }
        let epsilon = try module.number("eps", default: 1e-5)
        var factors: [Float] = []
        var shifts: [Float] = []
        for channel in 0..<count {
            let factor = Double(gains[channel]) / (Double(variances[channel]) + epsilon).squareRoot()
            let shift = Double(biases[channel]) - Double(means[channel]) * factor
            guard factor.isFinite, shift.isFinite else {
                throw module.inconsistent("its variance, mean, weight or bias of channel \(channel) makes no sense")
            }
            factors.append(Float(factor))
            shifts.append(Float(shift))
        }
        self.init(factors: factors, shifts: shifts)
    }
}
