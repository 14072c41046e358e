// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidCheckpoints

@Suite("Weights of Caffe2's Detectron")
struct CaffeNameTests {
    @Test(
        "are called otherwise in Detectron2",
        arguments: [
            ("conv1_w", "stem.conv1.weight"),
            ("res_conv1_bn_s", "stem.conv1.norm.weight"),
            ("res_conv1_bn_b", "stem.conv1.norm.bias"),
            ("res2_0_branch1_w", "res2.0.shortcut.weight"),
            ("res2_0_branch1_bn_s", "res2.0.shortcut.norm.weight"),
            ("res4_22_branch2a_w", "res4.22.conv1.weight"),
            ("res4_22_branch2b_bn_b", "res4.22.conv2.norm.bias"),
            ("res5_2_branch2c_bn_riv", "res5.2.conv3.norm.running_var"),
            ("res5_2_branch2c_bn_running_mean", "res5.2.conv3.norm.running_mean"),
            ("res2_0_branch2a_gn_s", "res2.0.conv1.norm.weight"),
            ("fpn_inner_res5_2_sum_w", "fpn_lateral5.weight"),
            ("fpn_inner_res2_2_sum_lateral_b", "fpn_lateral2.bias"),
            ("fpn_inner_res4_5_sum_lateral_gn_s", "fpn_lateral4.norm.weight"),
            ("fpn_res3_3_sum_w", "fpn_output3.weight"),
            ("conv_rpn_fpn2_w", "proposal_generator.rpn_head.conv.weight"),
            ("conv_rpn_b", "proposal_generator.rpn_head.conv.bias"),
            ("rpn_bbox_pred_fpn2_w", "proposal_generator.rpn_head.anchor_deltas.weight"),
            ("rpn_cls_logits_b", "proposal_generator.rpn_head.objectness_logits.bias"),
            ("fc6_w", "box_head.fc1.weight"),
            ("fc7_b", "box_head.fc2.bias"),
            ("head_conv1_w", "box_head.conv1.weight"),
            ("head_conv1_gn_s", "box_head.conv1.norm.weight"),
            ("_[mask]_fcn1_w", "mask_head.mask_fcn1.weight"),
            ("conv5_mask_w", "mask_head.deconv.weight"),
        ]
    )
    func names(original: String, name: String) {
        #expect(CaffeName(original).name == name)
        #expect(CaffeName(original).rows == .all)
    }

    @Test("have the background first")
    func rows() {
        let moved: [(String, String, CaffeName.Rows)] = [
            ("cls_score_w", "cls_score.weight", .firstLast),
            ("bbox_pred_b", "bbox_pred.bias", .without(4)),
            ("mask_fcn_logits_w", "mask_head.predictor.weight", .without(1)),
        ]
        for (original, name, rows) in moved {
            #expect(CaffeName(original).name == name)
            #expect(CaffeName(original).rows == rows)
        }
    }

    @Test("are found under their endings, rows moved, by themselves or among blobs")
    func matching() throws {
        func tensor(_ numbers: [Float], _ shape: [Int], _ key: String) -> Pickled {
            .tensor(SavedStorage(key: key, floats: numbers), shape: shape)
        }
        let blobs = Pickled.entries([
            "conv1_w": tensor([1, 2], [2, 1, 1, 1], "0"),
            "conv1_w_momentum": tensor([5, 5], [2, 1, 1, 1], "1"),
            "res_conv1_bn_s": tensor([3, 4], [2], "2"),
            "cls_score_w": tensor([9, 1, 2], [3, 1], "3"),
            "bbox_pred_b": tensor([0, 0, 0, 0, 1, 2, 3, 4], [8], "4"),
            "fc6_b": tensor([7], [1], "5"),
        ])
        for root in [blobs, .entries(["blobs": blobs]), .entries(["model": blobs, "__author__": .text("Caffe2")])] {
            var weights = try StateDictionary(SavedCheckpoint(root).open())
            let stem = "backbone.bottom_up.stem.conv1"
            #expect(try weights.weights("\(stem).weight", shape: [2, 1, 1, 1]).elements() == [1, 2])
            #expect(try weights.numbers("\(stem).norm.weight", count: 2) == [3, 4])
            #expect(try weights.optionalNumbers("\(stem).norm.running_mean", count: 2) == nil)
            let predictor = "roi_heads.box_predictor"
            #expect(try weights.weights("\(predictor).cls_score.weight", shape: [3, 1]).elements() == [1, 2, 9])
            #expect(weights.shape(of: "\(predictor).bbox_pred.bias") == [4])
            #expect(try weights.numbers("\(predictor).bbox_pred.bias", count: 4) == [1, 2, 3, 4])
            #expect(weights.leftOver == ["fc6_b"])
            try weights.check()
            _ = weights.weights("roi_heads.box_head.fc2.weight", shape: [1])
            #expect(throws: Detectron2Error.self) { try weights.check() }
        }
    }

    @Test("are refused when there are no tensors")
    func noWeights() throws {
        for root in [Pickled.list([]), .entries([:]), .entries(["model": .entries(["a": .integer(1)])])] {
            let error = #expect(throws: Detectron2Error.self) { try StateDictionary(SavedCheckpoint(root).open()) }
            #expect(error?.description.contains("holds no weights of Detectron2") == true)
        }
    }
}
