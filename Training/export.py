#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Nereid: a vision model server.
"""Writes the trained detector as ONNX.

    python export.py RUN/weights.pt ../Models/demo/demo.onnx [--weights float16|float32|int8] [--size 384]

The graph takes `images` [N, 3, H, W], RGB in 0..1, sides multiples of 32, and answers `output0` [N, 4 + C, A]: centre x,
centre y, width and height in pixels of the input, then a probability for each of C classes, for each of A cells; the layout
of YOLOv8. Batch normalisation is folded into the convolutions. The arithmetic is float32, however weights are stored.
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from detector.network import BINS, STRIDES, Context, Convolution, Detector, Residual, Stage, cell_centres, corners, flatten

FLOAT16_LIMIT = 60000.0


class Graph:
    """An ONNX graph in the making. Every method appends a node and returns the name of what it answers."""

    def __init__(self, weights: str):
        self.weights, self.nodes, self.constants = weights, [], []

    def node(self, kind: str, *inputs: str, **attributes) -> str:
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, values, name: str | None = None) -> str:
        name = name or f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def weight(self, values: np.ndarray, name: str) -> str:
        """A weight of a convolution, stored as asked."""
        if self.weights == "float16":
            if np.abs(values).max() > FLOAT16_LIMIT:
                raise SystemExit(f"{name} does not fit float16; export with --weights float32")
            return self.node("Cast", self.constant(values.astype(np.float16), name), to=TensorProto.FLOAT)
        if self.weights == "int8":
            # One scale for each output channel, symmetric, so that zero stays zero.
            scales = np.maximum(np.abs(values).reshape(len(values), -1).max(1), 1e-8).astype(np.float32) / 127
            rounded = np.rint(values / scales.reshape(-1, 1, 1, 1)).astype(np.int8)
            return self.node(
                "DequantizeLinear", self.constant(rounded, name), self.constant(scales, f"{name}.scale"), axis=0
            )
        return self.constant(values.astype(np.float32), name)

    def convolution(self, x: str, layer: nn.Conv2d, norm: nn.BatchNorm2d | None, name: str) -> str:
        weight = layer.weight.detach().double().numpy()
        bias = np.zeros(len(weight)) if layer.bias is None else layer.bias.detach().double().numpy()
        if norm is not None:
            gain = (norm.weight / torch.sqrt(norm.running_var + norm.eps)).detach().double().numpy()
            weight = weight * gain.reshape(-1, 1, 1, 1)
            bias = norm.bias.detach().double().numpy() + (bias - norm.running_mean.double().numpy()) * gain
        padding = layer.padding[0]
        return self.node(
            "Conv", x, self.weight(weight, f"{name}.weight"), self.constant(bias.astype(np.float32), f"{name}.bias"),
            kernel_shape=list(layer.kernel_size), strides=list(layer.stride), pads=[padding] * 4,
        )

    def module(self, x: str, module: nn.Module, name: str) -> str:
        """What a module of the network does."""
        if isinstance(module, Convolution):
            y = self.convolution(x, module[0], module[1], name)
            return self.node("Mul", y, self.node("Sigmoid", y))
        if isinstance(module, Residual):
            return self.node("Add", x, self.module(x, module.layers, f"{name}.layers"))
        if isinstance(module, Stage):
            entered = self.module(x, module.enter, f"{name}.enter")
            kept = [f"{entered}_left", f"{entered}_right"]
            self.nodes.append(helper.make_node("Split", [entered], kept, name=f"{entered}_split", axis=1, num_outputs=2))
            for index, block in enumerate(module.blocks):
                kept.append(self.module(kept[-1], block, f"{name}.blocks.{index}"))
            return self.module(self.node("Concat", *kept, axis=1), module.leave, f"{name}.leave")
        if isinstance(module, Context):
            kept = [self.module(x, module.enter, f"{name}.enter")]
            for _ in range(3):
                kept.append(self.node("MaxPool", kept[-1], kernel_shape=[5, 5], strides=[1, 1], pads=[2, 2, 2, 2]))
            return self.module(self.node("Concat", *kept, axis=1), module.leave, f"{name}.leave")
        if isinstance(module, nn.Conv2d):
            return self.convolution(x, module, None, name)
        if isinstance(module, nn.Sequential):
            for index, child in enumerate(module):
                x = self.module(x, child, f"{name}.{index}")
            return x
        raise TypeError(f"{name}: no rule for {type(module).__name__}")

    def enlarged(self, x: str) -> str:
        scales = self.constant(np.array([1, 1, 2, 2], np.float32))
        return self.node(
            "Resize", x, "", scales, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"
        )

    def level(self, boxes: str, scores: str, stride: int, classes: int) -> str:
        """One grid's cells as columns [N, 4 + C, h · w]."""
        sides = self.node("Reshape", boxes, self.constant(np.array([0, 4, BINS, -1])))
        shares = self.node("Softmax", sides, axis=2)
        bins = self.constant((np.arange(BINS, dtype=np.float32) * stride).reshape(1, 1, BINS, 1))
        axes = self.constant(np.array([2]))
        distances = self.node("ReduceSum", self.node("Mul", shares, bins), axes, keepdims=0)  # [N, 4, h · w]
        near, far = f"{distances}_near", f"{distances}_far"
        self.nodes.append(helper.make_node("Split", [distances], [near, far], name=f"{distances}_split", axis=1, num_outputs=2))

        # Counting ones along an axis numbers the cells whatever the picture's size.
        shape = self.node("Concat", self.constant(np.array([1, 1])), self.node("Shape", boxes, start=2), axis=0)
        ones = self.node("ConstantOfShape", shape, value=helper.make_tensor("one", TensorProto.FLOAT, [1], [stride]))
        half = self.constant(np.float32(stride / 2))
        centres = self.node(
            "Concat",
            *(self.node("Sub", self.node("CumSum", ones, self.constant(np.int64(axis))), half) for axis in (3, 2)),
            axis=1,
        )
        centres = self.node("Reshape", centres, self.constant(np.array([1, 2, -1])))
        two = self.constant(np.float32(2))
        middle = self.node("Add", centres, self.node("Div", self.node("Sub", far, near), two))
        size = self.node("Add", near, far)
        columns = self.node("Reshape", self.node("Sigmoid", scores), self.constant(np.array([0, classes, -1])))
        return self.node("Concat", middle, size, columns, axis=1)


def graph(network: Detector, weights: str) -> Graph:
    """The whole network, from `images` to `output0`."""
    g = Graph(weights)
    c3 = g.module(g.module("images", network.stage2, "stage2"), network.stage3, "stage3")
    c4 = g.module(c3, network.stage4, "stage4")
    p5 = g.module(g.module(c4, network.stage5, "stage5"), network.lateral5, "lateral5")
    p4 = g.module(g.node("Concat", c4, g.enlarged(p5), axis=1), network.up4, "up4")
    p3 = g.module(g.node("Concat", c3, g.enlarged(p4), axis=1), network.up3, "up3")
    p4 = g.module(g.node("Concat", p4, g.module(p3, network.down4, "down4"), axis=1), network.merge4, "merge4")
    p5 = g.module(g.node("Concat", p5, g.module(p4, network.down5, "down5"), axis=1), network.merge5, "merge5")
    levels = [
        g.level(g.module(level, box, f"boxes.{i}"), g.module(level, score, f"scores.{i}"), stride, network.classes)
        for i, (level, box, score, stride) in enumerate(zip((p3, p4, p5), network.boxes, network.scores, STRIDES))
    ]
    g.nodes.append(helper.make_node("Concat", levels, ["output0"], name="output0", axis=2))
    return g


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights_file", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--weights", choices=("float16", "float32", "int8"), default="float16")
    parser.add_argument("--size", type=int, default=384, help="the side that pictures are fitted into by default")
    arguments = parser.parse_args()

    saved = torch.load(arguments.weights_file, map_location="cpu", weights_only=True)
    names = saved["names"]
    network = Detector(len(names)).eval()
    network.load_state_dict(saved["weights"])
    g = graph(network, arguments.weights)
    model = helper.make_model(
        helper.make_graph(
            g.nodes,
            "nereid-demo",
            [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, "height", "width"])],
            [helper.make_tensor_value_info("output0", TensorProto.FLOAT, ["batch", 4 + len(names), "cells"])],
            g.constants,
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=9,
        producer_name="nereid",
    )
    helper.set_model_props(
        model,
        {
            "names": str(dict(enumerate(names))),
            "task": "detect",
            "stride": str(max(STRIDES)),
            "imgsz": str([arguments.size, arguments.size]),
            "license": "Apache-2.0",
            "author": "Nereid",
            "description": "Nereid's demonstration detector of aquarium animals",
            "training_data": "Aquarium Combined by Roboflow, CC BY 4.0; scenes drawn by Training/scenes",
        },
    )
    onnx.checker.check_model(model, full_check=True)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, arguments.output)

    session = onnxruntime.InferenceSession(arguments.output, providers=["CPUExecutionProvider"])
    pixels = torch.rand(2, 3, 96, 128, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        sides, logits = flatten(network(pixels), len(names))
        boxes = corners(sides, *cell_centres(96, 128))
        expected = torch.cat([(boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2], logits.sigmoid()], 2)
    difference = np.abs(session.run(None, {"images": pixels.numpy()})[0] - expected.transpose(1, 2).numpy())
    print(
        f"{arguments.output}: {arguments.output.stat().st_size} bytes; beside PyTorch, boxes differ by up to "
        f"{difference[:, :4].max():.4f} pixels, scores by up to {difference[:, 4:].max():.5f}"
    )


if __name__ == "__main__":
    main()
