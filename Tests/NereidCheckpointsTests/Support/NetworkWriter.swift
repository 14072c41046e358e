// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidCheckpoints
import TestSupport

/// Writes modules as PyTorch pickles them, with small random weights.
final class NetworkWriter {
    private var generator = SeededGenerator(seed: 7)
    private var storageCount = 0
    /// Whether tensors are written in half precision, as the frameworks do once training is over.
    var isHalf = false

    // MARK: Tensors

    func tensor(_ shape: [Int], in range: ClosedRange<Float> = -1...1) -> Pickled {
        let count = shape.reduce(1, *)
        return tensor(shape, (0..<count).map { _ in Float.random(in: range, using: &generator) })
    }

    func tensor(_ shape: [Int], _ values: [Float]) -> Pickled {
        storageCount += 1
        guard isHalf else { return .tensor(SavedStorage(key: "\(storageCount)", floats: values), shape: shape) }
        let bytes = values.flatMap { littleEndian(Float16($0).bitPattern) }
        let key = "\(storageCount)"
        return .tensor(SavedStorage(key: key, "HalfStorage", count: values.count, bytes: bytes), shape: shape)
    }

    // MARK: Modules

    /// A module of any class; a parameter, buffer or module that is `.none` is written as such.
    func module(
        _ qualifiedName: String,
        modules: [(String, Pickled)] = [],
        parameters: [(String, Pickled)] = [],
        buffers: [(String, Pickled)] = [],
        _ attributes: [(String, Pickled)] = []
    ) -> Pickled {
        let parts = qualifiedName.split(separator: ".")
        func dictionary(_ entries: [(String, Pickled)]) -> Pickled {
            .dictionary(entries.map { (.text($0.0), $0.1) })
        }
        let state =
            [
                ("training", .boolean(false)), ("_parameters", dictionary(parameters)),
                ("_buffers", dictionary(buffers)),
                ("_modules", dictionary(modules)),
            ] + attributes
        return .instance(
            .name(parts.dropLast().joined(separator: "."), String(parts[parts.count - 1])),
            state: dictionary(state)
        )
    }

    func sequential(_ modules: [Pickled], _ attributes: [(String, Pickled)] = []) -> Pickled {
        module("torch.nn.modules.container.Sequential", modules: numbered(modules), attributes)
    }

    func list(_ modules: [Pickled]) -> Pickled {
        module("torch.nn.modules.container.ModuleList", modules: numbered(modules))
    }

    private func numbered(_ modules: [Pickled]) -> [(String, Pickled)] {
        modules.enumerated().map { (String($0.offset), $0.element) }
    }

    /// A `Conv2d`; settings can be replaced by others.
    func convolution(
        _ inputs: Int,
        _ outputs: Int,
        kernel: Int = 1,
        stride: Int = 1,
        groups: Int = 1,
        hasBias: Bool = true,
        _ replacing: [(String, Pickled)] = []
    ) -> Pickled {
        let settings: [(String, Pickled)] = [
            ("in_channels", .integer(inputs)), ("out_channels", .integer(outputs)),
            ("kernel_size", .integers([kernel, kernel])), ("stride", .integers([stride, stride])),
            ("padding", .integers([kernel / 2, kernel / 2])), ("dilation", .integers([1, 1])),
            ("groups", .integer(groups)), ("padding_mode", .text("zeros")),
        ]
        let names = replacing.map(\.0)
        return module(
            "torch.nn.modules.conv.Conv2d",
            parameters: [
                ("weight", tensor([outputs, inputs / groups, kernel, kernel])),
                ("bias", hasBias ? tensor([outputs]) : .none),
            ],
            settings.filter { !names.contains($0.0) } + replacing
        )
    }

    func normalisation(_ channels: Int) -> Pickled {
        module(
            "torch.nn.modules.batchnorm.BatchNorm2d",
            parameters: [("weight", tensor([channels])), ("bias", tensor([channels]))],
            buffers: [
                ("running_mean", tensor([channels])), ("running_var", tensor([channels], in: 0.5...1.5)),
                (
                    "num_batches_tracked",
                    .tensor(
                        SavedStorage(key: "batches", "LongStorage", count: 1, bytes: littleEndian(9)),
                        shape: []
                    )
                ),
            ],
            [("eps", .real(0.001))]
        )
    }

    func activation(_ name: String = "SiLU") -> Pickled {
        module(name == "Identity" ? "torch.nn.modules.linear.Identity" : "torch.nn.modules.activation.\(name)")
    }

    /// A block of convolution, normalisation and activation.
    func block(
        _ inputs: Int,
        _ outputs: Int,
        kernel: Int = 1,
        stride: Int = 1,
        groups: Int = 1,
        act: String = "SiLU",
        class name: String = "models.common.Conv",
        _ attributes: [(String, Pickled)] = []
    ) -> Pickled {
        let convolution = convolution(
            inputs,
            outputs,
            kernel: kernel,
            stride: stride,
            groups: groups,
            hasBias: false
        )
        let modules = [("conv", convolution), ("bn", normalisation(outputs)), ("act", activation(act))]
        return module(name, modules: modules, attributes)
    }

    func bottleneck(_ channels: Int, adds: Bool = true) -> Pickled {
        module(
            "models.common.Bottleneck",
            modules: [("cv1", block(channels, channels)), ("cv2", block(channels, channels, kernel: 3))],
            [("add", .boolean(adds))]
        )
    }

    func linear(_ inputs: Int, _ outputs: Int, hasBias: Bool = true) -> Pickled {
        module(
            "torch.nn.modules.linear.Linear",
            parameters: [("weight", tensor([outputs, inputs])), ("bias", hasBias ? tensor([outputs]) : .none)]
        )
    }

    func maximumPool(_ size: Int, stride: Int, padding: Int) -> Pickled {
        module(
            "torch.nn.modules.pooling.MaxPool2d",
            [
                ("kernel_size", .integer(size)), ("stride", .integer(stride)), ("padding", .integer(padding)),
                ("dilation", .integer(1)), ("ceil_mode", .boolean(false)),
            ]
        )
    }

    // MARK: Checkpoints

    /// A whole model of these layers, the last being the head.
    func model(
        _ layers: [Pickled],
        class name: String = "models.yolo.DetectionModel",
        _ attributes: [(String, Pickled)] = []
    ) -> Pickled {
        module(name, modules: [("model", sequential(layers))], attributes)
    }
}

extension Pickled {
    /// Opens a file that holds just this.
    func opened() throws -> Checkpoint {
        try SavedCheckpoint(self).open()
    }
}
