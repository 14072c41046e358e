// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidCheckpoints

/// Networks that contradict themselves are refused with words that say where and why.
@Suite("Inconsistent networks")
struct InconsistentNetworkTests {
    private let writer = NetworkWriter()

    /// What is said about a network of one layer in front of the head's two.
    private func message(layer: Pickled) -> String {
        message(root: writer.model([layer, writer.block(3, 4), writer.anchorHead()]))
    }

    private func message(head: Pickled) -> String {
        message(root: writer.network(head))
    }

    private func message(root: Pickled) -> String {
        let error = #expect(throws: ConversionError.self) {
            try CheckpointConverter.convert(Pickled.entries(["model": root]).opened())
        }
        return error?.description ?? ""
    }

    private func convolution(_ replacing: [(String, Pickled)]) -> Pickled {
        writer.convolution(3, 3, kernel: 3, replacing)
    }

    @Test("convolutions")
    func convolutions() {
        let cases: [(Pickled, String)] = [
            (
                writer.convolution(4, 4),
                "the network takes pictures of 4 channels (‘model.0’ in the checkpoint), and Nereid feeds 3: red, green and blue"
            ),
            (convolution([("groups", .integer(0))]), "3 channels can't be in 0 groups"),
            (convolution([("groups", .integer(2))]), "3 channels can't be in 2 groups"),
            (convolution([("groups", .integer(.max))]), "3 channels can't be in 9223372036854775807 groups"),
            (convolution([("stride", .integers([0, 1]))]), "its stride (0, 1)"),
            (convolution([("padding", .integers([-1, 0]))]), "padding (-1, 0)"),
            (convolution([("padding", .text("same"))]), "its ‘padding’ is ‘same’, not one whole number or two"),
            (convolution([("dilation", .integers([1, 1 << 40]))]), "or dilation"),
            (
                convolution([("kernel_size", .integers([1, 3]))]),
                "its kernel is (1, 3), its weights have the shape [3, 3, 3, 3]"
            ),
            (convolution([("in_channels", .integer(9))]), "it says 9 in_channels"),
            (convolution([("out_channels", .integer(9))]), "it says 9 out_channels"),
            (convolution([("padding_mode", .text("reflect"))]), "its padding is not of zeros"),
            (writer.module("torch.nn.modules.conv.Conv2d"), "it has no ‘weight’, which a ‘Conv2d’ needs"),
            (
                writer.module("torch.nn.modules.conv.Conv2d", parameters: [("weight", writer.tensor([3, 3]))]),
                "its weights have the shape [3, 3], not four dimensions"
            ),
            (
                writer.module(
                    "torch.nn.modules.conv.Conv2d",
                    parameters: [("weight", writer.tensor([4, 3, 1, 1])), ("bias", writer.tensor([3]))]
                ),
                "it has 3 biases for 4 channels"
            ),
            (
                writer.module("torch.nn.modules.conv.Conv2d", parameters: [("weight", .text("none"))]),
                "its ‘weight’ is ‘none’, not a tensor"
            ),
        ]
        for (layer, words) in cases {
            #expect(message(layer: layer).contains(words), "\(message(layer: layer))")
        }
    }

    @Test("blocks")
    func blocks() {
        func block(_ normalisation: Pickled, act: Pickled? = nil) -> Pickled {
            let modules = [("conv", writer.convolution(3, 4)), ("bn", normalisation)]
            return writer.module("models.common.Conv", modules: modules + (act.map { [("act", $0)] } ?? []))
        }
        func normalisation(_ variance: Float) -> Pickled {
            writer.module(
                "torch.nn.modules.batchnorm.BatchNorm2d",
                buffers: [
                    ("running_mean", writer.tensor([4])), ("running_var", writer.tensor([4], [1, 1, variance, 1])),
                ]
            )
        }
        let cases: [(Pickled, String)] = [
            (block(writer.normalisation(5)), "it normalises 5 channels with 5 variances"),
            (block(normalisation(-1)), "of channel 2 makes no sense"),
            (block(normalisation(.nan)), "of channel 2 makes no sense"),
            (block(writer.block(3, 4)), "is a ‘models.common.Conv’, which Nereid can't convert"),
            (block(normalisation(1)), "it has no module ‘act’, which a ‘Conv’ needs"),
            (block(normalisation(1), act: .text("silu")), "‘model.0.act’ in the checkpoint is not a module but ‘silu’"),
            (
                block(normalisation(1), act: writer.activation("Snake")),
                "‘torch.nn.modules.activation.Snake’, which Nereid"
            ),
            (writer.module("models.common.Cxncat"), "‘model.0’ in the checkpoint is a ‘models.common.Cxncat’"),
            (
                writer.module("models.common.Focus", modules: [("conv", writer.block(3, 4))]),
                "channels that are not a multiple of 4"
            ),
            (
                writer.module(
                    "models.common.Bottleneck",
                    modules: [("cv1", writer.block(3, 4)), ("cv2", writer.block(4, 4))],
                    [("add", .boolean(true))]
                ),
                "it adds maps of 3 and 4 channels"
            ),
            (
                writer.module("models.common.C2f", modules: [("cv1", writer.block(3, 3))]),
                "3 channels have no halves"
            ),
            (writer.module("models.common.Contract", [("gain", .integer(0))]), "its gain is 0"),
            (writer.module("models.common.Expand", [("gain", .integer(2))]), "3 channels can't be spread"),
            (writer.module("models.common.Concat", [("d", .integer(2))]), "it joins along another dimension"),
            (writer.maximumPool(5, stride: 0, padding: 2), "its window (5, 5), stride (0, 0)"),
            (writer.maximumPool(2, stride: 2, padding: 2), "padding (2, 2)"),
            (writer.module("torch.nn.Upsample", [("size", .integer(7))]), "it enlarges to a fixed size"),
            (
                writer.module("torch.nn.Upsample", [("scale_factor", .real(2)), ("mode", .text("bicubic"))]),
                "it enlarges by the method ‘bicubic’"
            ),
            (writer.module("torch.nn.Upsample", [("scale_factor", .real(-2))]), "it enlarges (-2.0, -2.0) times"),
            (writer.module("torch.nn.ZeroPad2d", [("padding", .integers([1, 1]))]), "it pads by [1, 1]"),
            (writer.module("torch.nn.GELU", [("approximate", .text("tanh"))]), "it is approximated by tanh"),
            (
                writer.module("torch.nn.AdaptiveAvgPool2d", [("output_size", .integer(2))]),
                "its output is not of one pixel"
            ),
        ]
        for (layer, words) in cases {
            #expect(message(layer: layer).contains(words), "\(message(layer: layer))")
        }
    }

    @Test("attention that does not fit its channels")
    func attention() {
        let wide = writer.module(
            "ultralytics.nn.modules.block.Attention",
            modules: [("qkv", writer.block(3, 8))],
            [("num_heads", .integer(2)), ("key_dim", .integer(4)), ("head_dim", .integer(1 << 20))]
        )
        #expect(message(layer: wide).contains("2 heads of 4 and 1048576 channels don't fit 3 and 8 channels"))
        let huge = writer.module("m.Attention", [("num_heads", .integer(.max))])
        #expect(message(layer: huge).contains("its setting ‘num_heads’ is 9223372036854775807"))
    }

    @Test("layers that take their input from nowhere", arguments: [99, 2, -2, -500, .max, .min])
    func sources(number: Int) {
        let layer = writer.block(3, 4, [("f", .integer(number))])
        let words = message(root: writer.model([writer.block(3, 3), layer, writer.anchorHead()]))
        #expect(words.contains("‘model.1’ in the checkpoint is damaged: it takes its input from layer \(number)"))
    }

    @Test("sources that are not whole numbers, or too many")
    func wrongSources() {
        #expect(message(layer: writer.block(3, 4, [("f", .text("-1"))])).contains("its ‘f’ is ‘-1’, not a list"))
        #expect(message(layer: writer.block(3, 4, [("f", .list([]))])).contains("it takes its input from 0 layers"))
        let many = Pickled.list(Array(repeating: .integer(-1), count: 65))
        #expect(message(layer: writer.block(3, 4, [("f", many)])).contains("it takes its input from 65 layers"))
        let two = writer.block(3, 4, [("f", .list([.integer(-1), .integer(-1)]))])
        #expect(message(layer: two).contains("it takes one map and is given 2"))
    }

    @Test("heads of YOLOv5")
    func anchorHeads() {
        let cases: [(Pickled, String)] = [
            (writer.anchorHead(classes: 3, outputs: 17), "it has 17 channels, which do not hold 2 anchors"),
            (writer.anchorHead(outputs: 18), "2 anchors with 3 classes and 0 mask coefficients"),
            (writer.anchorHead([("nc", .integer(1_000_000_000))]), "its setting ‘nc’ is 1000000000"),
            (writer.anchorHead([("nc", .integer(-1))]), "its setting ‘nc’ is -1"),
            (writer.anchorHead([("nl", .integer(3))]), "its setting ‘nl’ is 3, its weights say 2"),
            (writer.anchorHead([("na", .integer(3))]), "its setting ‘na’ is 3, its weights say 2"),
            (
                writer.anchorHead(anchors: [.infinity, 1, 1, 1, 1, 1, 1, 1]),
                "an anchor of inf×8.0 pixels makes no sense"
            ),
            (writer.anchorHead(anchors: [1, .nan, 1, 1, 1, 1, 1, 1]), "an anchor of 8.0×nan pixels"),
            (writer.anchorHead(anchors: [1, 1, 1, 1, 1, 1, 1, -1]), "an anchor of 16.0×-16.0 pixels"),
            (writer.anchorHead(strides: writer.tensor([2], [8, 0])), "a stride of 0.0 makes no sense"),
            (writer.anchorHead(strides: writer.tensor([2], [8.5, 16])), "a stride of 8.5 makes no sense"),
            (writer.anchorHead(strides: writer.tensor([3], [8, 16, 32])), "it has 3 strides for 2 levels"),
            (writer.anchorHead([("f", .list([.integer(0)]))]), "it has 2 levels and is given 1 maps"),
            (
                writer.anchorHead([("f", .list([.integer(1), .integer(0)]))]),
                "its weights are for 4 channels, its input has 8"
            ),
            (writer.anchorHead(masks: 4), "it gives 5 prototypes for 4 coefficients"),
        ]
        for (head, words) in cases {
            #expect(message(head: head).contains(words), "\(message(head: head))")
        }
    }

    @Test("heads of Ultralytics")
    func anchorFreeHeads() {
        let cases: [(Pickled, String)] = [
            (writer.anchorFreeHead("Detect", [("nc", .integer(4))]), "it gives 3 channels, not 4 for 4 classes"),
            (
                writer.anchorFreeHead("Detect", [("reg_max", .integer(8))]),
                "it gives 64 channels, not 32 for 4 distances of 8 bins"
            ),
            (writer.anchorFreeHead("Detect", [("reg_max", .integer(0))]), "its setting ‘reg_max’ is 0"),
            (writer.anchorFreeHead("OBB", extra: 2, [("ne", .integer(1))]), "it gives 2 channels, not 1 for an angle"),
            (writer.anchorFreeHead("OBB", extra: 1, [("ne", .integer(2))]), "its setting ‘ne’ is 2"),
            (
                writer.anchorFreeHead("Pose", extra: 6, [("kpt_shape", .integers([3, 3]))]),
                "it gives 6 channels, not 9 for 3 keypoints of 3 numbers"
            ),
            (
                writer.anchorFreeHead("Pose", extra: 6, [("kpt_shape", .integers([1, 6]))]),
                "its keypoints have the shape [1, 6]"
            ),
            (writer.anchorFreeHead("Segment", extra: 5, [("nm", .integer(5))]), "it has no module ‘proto’"),
            (writer.module("ultralytics.nn.modules.head.RTDETRDecoder"), "‘ultralytics.nn.modules.head.RTDETRDecoder’"),
            (writer.anchorFreeHead("Detect", [("f", .list([.integer(0)]))]), "it has 2 levels and is given 1 maps"),
        ]
        for (head, words) in cases {
            #expect(message(head: head).contains(words), "\(message(head: head))")
        }
    }

    @Test("modules in a circle, too deep, or used over and over")
    func bounds() {
        let deep = (0..<60).reduce(writer.activation("Identity")) { inner, _ in writer.sequential([inner]) }
        #expect(message(layer: deep).contains("lies more than 48 modules deep or within itself"))

        // Forty sequences, each holding the one before twice through the memo: 2⁴⁰ modules when walked.
        var pickle = PickleWriter()
        func remember(_ number: Int) { pickle.write(opcodes: [0x71, UInt8(number)]) }
        pickle.write(writer.activation("Identity"))
        remember(0)
        for number in 1...40 {
            let twice = Pickled.opcodes([0x68, UInt8(number - 1)])
            pickle.write(writer.sequential([twice, twice]))
            remember(number)
            // The one below is still on the stack: the new one takes its place.
            pickle.write(opcodes: [0x86, 0x30, 0x68, UInt8(number)])
        }
        let laughs = Pickled.opcodes(Array(pickle.bytes.dropFirst(2)))
        #expect(message(layer: laughs).contains("the network has more than 50000 modules"))
    }
}
