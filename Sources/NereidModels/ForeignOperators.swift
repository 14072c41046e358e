// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidCheckpoints

/// Operators of known packages that no engine here has, with what to do about each.
enum ForeignOperators {
    /// Whose an operator is, and what to do, as the end of a sentence; `nil` when it is nobody's known here.
    static func owner(of found: GraphOutline.Operator) -> String? {
        let (domain, name) = (found.domain.lowercased(), found.name)
        if domain.hasPrefix("trt") || domain.contains("tensorrt") || name.hasSuffix("_TRT") || name.hasPrefix("TRT")
            || name.hasPrefix("BatchedNMSDynamic")
        {
            return "a plugin of TensorRT, which only TensorRT runs; export the model for ONNX Runtime, "
                + "without the plugin (without end2end or TensorRT NMS)"
        }
        if domain == "ai.onnx.contrib" {
            return
                "of onnxruntime-extensions, which are not loaded; export the model without pre- and postprocessing in it"
        }
        if domain.hasPrefix("mmdeploy") || domain.hasPrefix("mmcv") || name.hasPrefix("MMCV") {
            return "of MMDeploy, which needs its own libraries; export the model with ONNX's own operators"
        }
        if domain.contains("openvino") {
            return "of OpenVINO, which only OpenVINO runs; export the model for ONNX Runtime"
        }
        if domain.hasPrefix("org.pytorch") || domain == "aten" || domain == "prim" || domain == "pkg.onnxscript" {
            return
                "of PyTorch, for which its exporter found nothing in ONNX; export with a higher opset, or replace that layer"
        }
        if domain.hasPrefix("paddle") {
            return "of PaddlePaddle; export the model with paddle2onnx and ONNX's own operators"
        }
        if name.contains("DeformConv") || name.hasPrefix("DCN") {
            return
                "a deformable convolution that is not ONNX's own; export with opset 19 or newer, where DeformConv is one"
        }
        return nil
    }
}
