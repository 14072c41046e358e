// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidCheckpoints

/// Where the model in a checkpoint is found, and what the checkpoint says about it.
@Suite("Models in checkpoints")
struct CheckpointModelTests {
    private let writer = NetworkWriter()

    private func model(labels: Pickled = .none, _ attributes: [(String, Pickled)] = []) -> Pickled {
        writer.network(writer.anchorHead(), class: "models.yolo.DetectionModel", [("names", labels)] + attributes)
    }

    private func found(in root: Pickled) throws -> CheckpointModel {
        try CheckpointModel(root.opened())
    }

    @Test("the mean over training goes before the last state")
    func meanOverTraining() throws {
        let names = { (name: String) in Pickled.list([.text(name)]) }
        let both = Pickled.entries(["model": model(labels: names("last")), "ema": model(labels: names("mean"))])
        #expect(try found(in: both).labels(count: 1).names == ["mean"])
        let stripped = Pickled.entries(["ema": .none, "model": model(labels: names("last")), "optimizer": .none])
        #expect(try found(in: stripped).labels(count: 1).names == ["last"])
        #expect(try found(in: model(labels: names("bare"))).labels(count: 1).names == ["bare"])
    }

    @Test("the wrapper for several devices is taken off", arguments: ["DistributedDataParallel", "DataParallel"])
    func wrapper(name: String) throws {
        let wrapped = writer.module(
            "torch.nn.parallel.\(name)",
            modules: [("module", model(labels: .list([.text("a")])))]
        )
        let model = try found(in: .entries(["model": wrapped]))
        #expect(model.labels(count: 1).names == ["a"])
        #expect(model.layers.map(\.path) == ["model.0", "model.1", "model.2"])
    }

    @Test("labels as a list or a dictionary, too few, too many, or none")
    func labels() throws {
        func labels(_ value: Pickled) throws -> [String] {
            try found(in: .entries(["model": model(labels: value)])).labels(count: 3).names
        }
        let three = ["a", "b", "c"]
        #expect(try labels(.list(three.map { .text($0) })) == three)
        #expect(try labels(.tuple(["a", "b", "c", "d"].map { .text($0) })) == three)
        #expect(try labels(.list([.text("a")])) == ["a", "class 1", "class 2"])
        #expect(try labels(.none) == ["class 0", "class 1", "class 2"])
        #expect(try labels(.integer(3)) == ["class 0", "class 1", "class 2"])
        #expect(
            try labels(.dictionary([(.integer(2), .text("c")), (.integer(0), .text("a"))])) == ["a", "class 1", "c"]
        )
        #expect(try labels(.dictionary(three.enumerated().map { (.text("\($0.offset)"), .text($0.element)) })) == three)
        #expect(
            try labels(.dictionary(three.map { (.text("x\($0)"), .text($0)) })) == ["class 0", "class 1", "class 2"]
        )
        #expect(try labels(.dictionary(three.enumerated().map { (.text($0.element), .integer($0.offset)) })) == three)
        #expect(
            try labels(.dictionary([(.integer(-1), .text("x")), (.integer(1 << 40), .text("y"))])).first == "class 0"
        )
        #expect(try labels(.list([.integer(7), .real(0.5)])) == ["7", "0.5", "class 2"])
        #expect(try labels(.list([.text("a"), .none, .text("c")])) == ["class 0", "class 1", "class 2"])
        let beside = Pickled.entries(["model": model(), "names": .list([.text("z")])])
        #expect(try found(in: beside).labels(count: 1).names == ["z"])
    }

    @Test("labels of NumPy: strings, arrays of strings, of bytes and of objects")
    func numpyLabels() throws {
        func utf32(_ text: String, _ length: Int) -> [UInt8] {
            let scalars = text.unicodeScalars.map(\.value)
            return (scalars + [UInt32](repeating: 0, count: length - scalars.count)).flatMap { littleEndian($0) }
        }
        func labels(_ value: Pickled) throws -> CheckpointLabels {
            try found(in: .entries(["model": model(labels: value)])).labels(count: 2)
        }
        let names = ["Aal", "海鼠"]
        let wide = names.flatMap { utf32($0, 4) }
        let narrow: [UInt8] = names.flatMap { name -> [UInt8] in
            Array(name.utf8) + [UInt8](repeating: 0, count: 6 - name.utf8.count)
        }
        for module in ["numpy.core.multiarray", "numpy._core.multiarray"] {
            let scalars = names.map { Pickled.call(module, "scalar", [.arrayType("U4"), .bytes(utf32($0, 4))]) }
            let forms: [Pickled] = [
                .list(scalars), .dictionary(scalars.enumerated().map { (.integer($0.offset), $0.element) }),
                .array(module: module, "U4", shape: [2], bytes: wide),
                .array(module: module, "O8", order: "|", shape: [2], data: .list(names.map { .text($0) })),
                .array(module: module, "O8", order: "|", shape: [2], data: .list(scalars)),
                .array(
                    module: module,
                    "S6",
                    order: "|",
                    shape: [2],
                    data: .bytes(narrow)
                ),
                .call(
                    module.replacing("multiarray", with: "numeric"),
                    "_frombuffer",
                    [.bytes(wide), .arrayType("U4"), .integers([2]), .text("C")]
                ),
            ]
            for form in forms {
                let read = try labels(form)
                #expect(read.names == names)
                #expect(read.warnings.isEmpty)
            }
        }
        let damaged: [Pickled] = [
            .array(module: "numpy.core.multiarray", "U4", shape: [3], bytes: wide),
            .array(module: "numpy.core.multiarray", "U4", shape: [2, 1], bytes: wide),
            .array(module: "numpy.core.multiarray", "U4", shape: [2], bytes: [UInt8](repeating: 0xFF, count: 32)),
            .array(module: "numpy.core.multiarray", "U3", shape: [2], bytes: wide),
        ]
        for form in damaged {
            let read = try labels(form)
            #expect(read.names == ["class 0", "class 1"])
            #expect(read.warnings.count == 1)
            #expect(read.warnings.first?.contains("can't be read") == true)
        }
    }

    @Test("labels that do not fit the classes are warned of, and never given to another class")
    func labelWarnings() throws {
        func labels(_ value: Pickled, _ count: Int) throws -> CheckpointLabels {
            try found(in: .entries(["model": model(labels: value)])).labels(count: count)
        }
        func numbered(_ names: [(Int, String)]) -> Pickled {
            .dictionary(names.map { (.integer($0.0), .text($0.1)) })
        }
        let fromOne = try labels(numbered([(1, "a"), (2, "b")]), 2)
        #expect(fromOne.names == ["class 0", "class 1"])
        #expect(fromOne.warnings.first?.contains("name class 2, but not class 0 of 2") == true)
        let gap = try labels(numbered([(0, "a"), (2, "c")]), 3)
        #expect(gap.names == ["a", "class 1", "c"])
        #expect(gap.warnings == ["the checkpoint names 2 of 3 classes; class 1 has no name"])
        let more = try labels(.list(["a", "b", "c"].map { .text($0) }), 2)
        #expect(more.names == ["a", "b"])
        #expect(more.warnings == ["the checkpoint's ‘names’ name 3 classes, but the network has 2"])
        #expect(try labels(.none, 2).warnings.isEmpty)
    }

    private typealias Size = ConvertedGraph.InputSize

    private func size(_ entries: [(Pickled, Pickled)], _ attributes: [(String, Pickled)] = []) throws -> Size? {
        let root = Pickled.dictionary([(.text("model"), model(attributes))] + entries)
        return try found(in: root).inputSize
    }

    @Test("the size that the network was trained with")
    func inputSize() throws {
        func settings(_ key: String, _ value: Pickled) -> [(Pickled, Pickled)] {
            [(.text(key), .entries(["imgsz": value]))]
        }
        #expect(try size(settings("train_args", .integer(640))) == Size(height: 640, width: 640))
        #expect(try size(settings("opt", .list([.integer(320), .integer(640)]))) == Size(height: 320, width: 640))
        #expect(try size([], [("args", .entries(["imgsz": .integer(96)]))]) == Size(height: 96, width: 96))
        #expect(try size(settings("opt", .integer(-3))) == nil)
        #expect(try size(settings("opt", .text("640"))) == nil)
        #expect(try size([]) == nil)
        let crop = writer.module("utils.augmentations.CenterCrop", [("h", .integer(224)), ("w", .integer(192))])
        let transforms = writer.module("torchvision.transforms.transforms.Compose", [("transforms", .list([crop]))])
        #expect(try size([], [("transforms", transforms)]) == Size(height: 224, width: 192))
        let square = writer.module("torchvision.transforms.transforms.CenterCrop", [("size", .integers([64, 64]))])
        let steps = writer.module(
            "torchvision.transforms.transforms.Compose",
            [("transforms", .list([.none, square]))]
        )
        #expect(try size([], [("transforms", steps)]) == Size(height: 64, width: 64))
    }

    @Test("weights without a network, and files without either, are told apart")
    func missing() {
        let weights = Pickled.dictionary([
            (.text("0.weight"), writer.tensor([2])), (.text("0.bias"), writer.tensor([2])),
        ])
        for root in [weights, .entries(["model": weights]), .entries(["state_dict": weights, "epoch": .integer(1)])] {
            let error = #expect(throws: ConversionError.self) { try found(in: root) }
            #expect(error?.description.contains("weights without the network that they belong to") == true)
            #expect(error?.description.contains("‘0.weight’") == true)
        }
        for (root, words) in [
            (Pickled.entries(["epoch": .integer(1), "w": writer.tensor([1])]), "its keys are ‘epoch’, ‘w’; YOLOv5"),
            (.dictionary([(.integer(5), writer.tensor([1])), (.integer(6), .none)]), "its keys are 5, 6"),
            (writer.tensor([2, 3]), "it is float32[2,3]"),
        ] {
            let error = #expect(throws: ConversionError.self) { try found(in: root) }
            #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
        }
    }

    @Test("what a file wants to be executed is not a module")
    func calls() {
        let call = Pickled.call("os", "system", [.text("touch /tmp/x")])
        let expected = ConversionError.notAModule(path: "", found: "the result of a call of ‘os.system’")
        #expect(throws: expected) { try found(in: .entries(["model": call, "w": writer.tensor([1])])) }
        let hidden = writer.model([call, writer.block(3, 4)])
        #expect(throws: ConversionError.notAModule(path: "model.0", found: "the result of a call of ‘os.system’")) {
            try found(in: .entries(["model": hidden]))
        }
        let list = Pickled.list([writer.tensor([1])])
        #expect(throws: ConversionError.notAModule(path: "", found: "a list of 1")) {
            try found(in: .entries(["model": list]))
        }
    }

    @Test("a model that is not a sequence of layers")
    func otherModels() {
        let backbone = writer.module("torchvision.models.resnet.ResNet", modules: [("conv1", writer.convolution(3, 4))])
        #expect(throws: ConversionError.unsupportedModule(className: "torchvision.models.resnet.ResNet", path: "")) {
            try found(in: .entries(["model": backbone]))
        }
        #expect(throws: ConversionError.inconsistent(path: "model", reason: "it has 1 layers")) {
            try found(in: .entries(["model": writer.model([writer.block(3, 4)])]))
        }
    }
}
