#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Nereid: a vision model server.
"""Writes the tiny ONNX graphs that the tests run.

    pip install onnx==1.23.2 onnxruntime==1.32.0
    python3 Tests/Fixtures/make_fixtures.py            # writes the graphs beside this file
    python3 Tests/Fixtures/make_fixtures.py --check    # also runs each of them on a picture with three blocks

All but one detect blocks of pure colour, and what they answer can be worked out by hand. The picture is cut into
cells of 16 x 16 pixels. A cell's score for a class, which is red, green or blue, is

    clip(2 * (mean of that channel - larger mean of the other two), 0, 1)

over the channels from 0 to 1, and its box is the cell itself. So a pure red block at a cell's place scores 1 for red,
a cell that is a quarter red and otherwise black scores 0.5, and a grey one nothing.

    file                     input `images`                           output `output0`
    blocks-v8.onnx           float32 [batch,3,height,width] RGB 0…1   [batch,7,cells]: cx, cy, w, h, three scores
    blocks-v5.onnx           the same                                 [batch,cells,8]: cx, cy, w, h, objectness, three
                                                                      shares; objectness is the best score and a share
                                                                      is score / objectness, so that objectness times
                                                                      share is the score
    blocks-end2end.onnx      the same                                 [batch,50,6]: x1, y1, x2, y2, score, class; the
                                                                      best 50 cells, best first, zeros after the last
    blocks-yolox.onnx        float32 [1,3,160,160] BGR 0…255          [1,525,8]: as v5, but not decoded: 400 cells of
                                                                      stride 8, 100 of 16, 25 of 32; x, y from the
                                                                      cell's corner in strides, log of w, h in strides;
                                                                      only stride 16 scores
    blocks-yolox-decoded.onnx  the same                               [1,525,8]: as yolox, decoded to pixels
    blocks-v8-rows.onnx      float32 [1,3,160,160] RGB 0…1            [1,525,7]: as v8, a row for each cell of strides 8, 16
                                                                      and 32; only stride 16 scores
    blocks-v8-fractions.onnx the same                                 [1,7,525]: the same as planes, boxes as fractions of
                                                                      the input
    blocks-deepstream.onnx   the same                                 [1,525,6]: the same as x1, y1, x2, y2, score, class
    blocks-v7-end2end.onnx   the same                                 [found,7]: batch, x1, y1, x2, y2, class, score of the
                                                                      cells that score
    blocks-rtdetr.onnx       the same                                 [1,525,7]: the same as blocks-v8-rows, as fractions
    blocks-fixed-v8.onnx     float16 [1,3,160,160] RGB 0…1            as v8, float16
    blocks-uint8-v8.onnx     uint8 [batch,3,height,width] RGB 0…255   as v8
    slow.onnx                as v8                                    as v8, after a few tenths of a second of matrix
                                                                      products in a loop, which a run can leave early
    endless.onnx             as v8                                    the same, but the loop does not end in a lifetime
    identity-unknown.onnx    as v8                                    [batch,3,7,7,7]: the mean of each channel, in a
                                                                      shape that no head knows
    unsupported-output.onnx  as v8                                    float64 [batch,3]: the mean of each channel
    failing.onnx             as v8                                    float32 [batch,3,160,160]: the picture; a run with
                                                                      any other size fails
    broken.onnx              the first half of blocks-v8.onnx

The metadata are those of an Ultralytics export: `names` as the text of a Python dictionary, `stride`, `task`.
"""

import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FOLDER = pathlib.Path(__file__).resolve().parent
STRIDE = 16
NAMES = {0: "red", 1: "green", 2: "blue"}
FREE = ["batch", 3, "height", "width"]
FIXED = [1, 3, 160, 160]


class Builder:
    """Gathers the nodes and constants of one graph; every method returns the name of what it adds."""

    def __init__(self, input_type=TensorProto.FLOAT, shape=FREE):
        self.nodes, self.constants = [], []
        self.input = helper.make_tensor_value_info("images", input_type, shape)

    def __call__(self, operator, *inputs, **attributes):
        name = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, value, kind):
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(value, kind), name))
        return name

    def floats(self, value):
        return self.constant(value, np.float32)

    def integers(self, value):
        return self.constant(value, np.int64)

    def length(self, tensor, axis):
        return self("Gather", self("Shape", tensor), self.integers([axis]))

    def scores(self, images, order="rgb"):
        """[batch,3,rows,columns], classes in the order of NAMES."""
        means = self("AveragePool", images, kernel_shape=[STRIDE, STRIDE], strides=[STRIDE, STRIDE])
        channel = {
            colour: self("Gather", means, self.integers([index]), axis=1) for index, colour in enumerate(order)
        }
        margins = [
            self("Sub", channel[colour], self("Max", *[channel[other] for other in "rgb" if other != colour]))
            for colour in "rgb"
        ]
        doubled = self("Mul", self("Concat", *margins, axis=1), self.floats(2))
        return self("Clip", doubled, self.floats(0), self.floats(1))

    def flat(self, grid):
        """[batch,n,rows,columns] to [batch,n,cells]."""
        shape = self("Concat", self.length(grid, 0), self.length(grid, 1), self.integers([-1]), axis=0)
        return self("Reshape", grid, shape)

    def centres(self, grid):
        """Centres of the cells in pixels along x and along y, each [batch,1,cells]."""
        batch, rows, columns = (self.length(grid, axis) for axis in (0, 2, 3))
        full = self("Concat", batch, self.integers([1]), rows, columns, axis=0)

        def along(length, axes):
            steps = self("Range", self.integers(0), self("Squeeze", length), self.integers(1))
            middles = self("Add", self("Cast", steps, to=TensorProto.FLOAT), self.floats(0.5))
            centres = self("Mul", middles, self.floats(STRIDE))
            return self.flat(self("Expand", self("Unsqueeze", centres, self.integers(axes)), full))

        return along(columns, [0, 1, 2]), along(rows, [0, 1, 3])

    def filled(self, like, value):
        """A tensor of the shape of `like` that holds one value."""
        return self("Expand", self.floats(value), self("Shape", like))

    def write(self, name, output, kind, shape, metadata=None, called="output0"):
        graph = helper.make_graph(
            self.nodes + [helper.make_node("Identity", [output], [called], name=called)],
            name,
            [self.input],
            [helper.make_tensor_value_info(called, kind, shape)],
            self.constants,
        )
        # The oldest ONNX Runtime that Nereid opens, 1.17, reads IR version 9 and operator set 20.
        model = helper.make_model(
            graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)], producer_name="make_fixtures.py"
        )
        usual = {"names": str(NAMES), "stride": str(STRIDE), "task": "detect"}
        helper.set_model_props(model, usual if metadata is None else metadata)
        onnx.checker.check_model(model, full_check=True)
        content = model.SerializeToString(deterministic=True)
        (FOLDER / f"{name}.onnx").write_bytes(content)
        return content


def v8_output(build, images, delay=None):
    grid = build.scores(images)
    scores = build.flat(grid)
    if delay is not None:
        scores = build("Add", scores, delay)
    x, y = build.centres(grid)
    side = build.filled(x, STRIDE)
    return build("Concat", x, y, side, side, scores, axis=1)


def v8():
    build = Builder()
    return build.write("blocks-v8", v8_output(build, "images"), TensorProto.FLOAT, ["batch", 7, "cells"])


def uint8_v8():
    build = Builder(TensorProto.UINT8)
    images = build("Div", build("Cast", "images", to=TensorProto.FLOAT), build.floats(255))
    build.write("blocks-uint8-v8", v8_output(build, images), TensorProto.FLOAT, ["batch", 7, "cells"])


def fixed_v8():
    build = Builder(TensorProto.FLOAT16, FIXED)
    output = v8_output(build, build("Cast", "images", to=TensorProto.FLOAT))
    build.write("blocks-fixed-v8", build("Cast", output, to=TensorProto.FLOAT16), TensorProto.FLOAT16, [1, 7, 100])


def objectness_and_shares(build, scores):
    """[batch,4,cells] of scores [batch,3,cells]; a cell without any score has no objectness and no shares."""
    best = build("ReduceMax", scores, axes=[1], keepdims=1)
    return build("Concat", best, build("Div", scores, build("Max", best, build.floats(1e-9))), axis=1)


def v5():
    build = Builder()
    grid = build.scores("images")
    x, y = build.centres(grid)
    side = build.filled(x, STRIDE)
    columns = build("Concat", x, y, side, side, objectness_and_shares(build, build.flat(grid)), axis=1)
    output = build("Transpose", columns, perm=[0, 2, 1])
    build.write("blocks-v5", output, TensorProto.FLOAT, ["batch", "cells", 8])


def end2end(kept=50):
    build = Builder()
    grid = build.scores("images")
    scores = build.flat(grid)
    x, y = build.centres(grid)
    half = build.floats(STRIDE / 2)
    columns = build(
        "Concat",
        *[build(operator, centre, half) for operator in ("Sub", "Add") for centre in (x, y)],
        build("ReduceMax", scores, axes=[1], keepdims=1),
        build("Cast", build("ArgMax", scores, axis=1, keepdims=1), to=TensorProto.FLOAT),
        axis=1,
    )
    # Small pictures have fewer cells than are kept: zeros stand in for the missing ones.
    padded = build("Pad", columns, build.integers([0, 0, 0, 0, 0, kept]))
    ranked = build("Gather", padded, build.integers(4), axis=1)
    build.nodes.append(
        helper.make_node("TopK", [ranked, build.integers([kept])], ["best", "places"], name="topk", axis=1)
    )
    places = build("Unsqueeze", "places", build.integers([1]))
    six = build("Concat", build.length(columns, 0), build.integers([6, kept]), axis=0)
    best = build("GatherElements", padded, build("Expand", places, six), axis=2)
    # A cell that scores nothing is no detection: zeros throughout, as an exporter pads.
    found = build("Cast", build("Greater", build("Unsqueeze", "best", build.integers([1])), build.floats(0)), to=1)
    output = build("Transpose", build("Mul", best, found), perm=[0, 2, 1])
    build.write("blocks-end2end", output, TensorProto.FLOAT, ["batch", kept, 6])


def yolox():
    build = Builder(shape=FIXED)
    grid = build.scores(build("Div", "images", build.floats(255)), order="bgr")

    def level(stride, scores):
        corner = np.zeros((1, 4, (160 // stride) ** 2))
        corner[:, :2] = 0.5
        return build("Concat", build.floats(corner), scores, axis=1)

    columns = build(
        "Concat",
        level(8, build.floats(np.zeros((1, 4, 400)))),
        level(16, objectness_and_shares(build, build.flat(grid))),
        level(32, build.floats(np.zeros((1, 4, 25)))),
        axis=2,
    )
    build.write("blocks-yolox", build("Transpose", columns, perm=[0, 2, 1]), TensorProto.FLOAT, [1, 525, 8])


def grid(scale=1):
    """Centre and size in pixels of the cells of strides 8, 16 and 32, [1,4,525]."""
    levels = []
    for stride in (8, 16, 32):
        side = 160 // stride
        y, x = np.divmod(np.arange(side * side), side)
        levels.append(np.stack([(x + 0.5) * stride, (y + 0.5) * stride, np.full(side * side, stride), np.full(side * side, stride)]))
    return np.concatenate(levels, 1)[None] * scale


def dense_scores(build, middle, channels):
    """[1,channels,525], zeros but at stride 16."""
    zeros = [build.floats(np.zeros((1, channels, count))) for count in (400, 25)]
    return build("Concat", zeros[0], middle, zeros[1], axis=2)


def rows(build, columns):
    return build("Transpose", columns, perm=[0, 2, 1])


def yolox_decoded():
    build = Builder(shape=FIXED)
    scores = build.flat(build.scores(build("Div", "images", build.floats(255)), order="bgr"))
    columns = build(
        "Concat", build.floats(grid()), dense_scores(build, objectness_and_shares(build, scores), 4), axis=1
    )
    build.write("blocks-yolox-decoded", rows(build, columns), TensorProto.FLOAT, [1, 525, 8], {}, called="output")


def dense_v8(name, shape, transposed, scale=1, metadata=None):
    build = Builder(shape=FIXED)
    scores = dense_scores(build, build.flat(build.scores("images")), 3)
    columns = build("Concat", build.floats(grid(scale)), scores, axis=1)
    build.write(name, rows(build, columns) if transposed else columns, TensorProto.FLOAT, shape, metadata)


def corners(build):
    """Corners in pixels, score and class of every cell, [1,525,6]."""
    scores = dense_scores(build, build.flat(build.scores("images")), 3)
    centred = grid()
    edges = np.concatenate([centred[:, :2] - centred[:, 2:] / 2, centred[:, :2] + centred[:, 2:] / 2], 1)
    best = build("ReduceMax", scores, axes=[1], keepdims=1)
    number = build("Cast", build("ArgMax", scores, axis=1, keepdims=1), to=TensorProto.FLOAT)
    return rows(build, build("Concat", build.floats(edges), best, number, axis=1))


def deepstream():
    build = Builder(shape=FIXED)
    build.write("blocks-deepstream", corners(build), TensorProto.FLOAT, [1, 525, 6], {})


def v7_end2end():
    build = Builder(shape=FIXED)
    cells = build("Squeeze", corners(build), build.integers([0]))
    scores = build("Squeeze", build("Gather", cells, build.integers([4]), axis=1), build.integers([1]))
    found = build("Compress", cells, build("Greater", scores, build.floats(0.1)), axis=0)
    # Class before score, and before all the picture's place in the batch.
    ordered = build("Gather", found, build.integers([0, 1, 2, 3, 5, 4]), axis=1)
    picture = build("Mul", build("Gather", found, build.integers([4]), axis=1), build.floats(0))
    build.write("blocks-v7-end2end", build("Concat", picture, ordered, axis=1), TensorProto.FLOAT, ["found", 7], {})


def slow(rounds=1000, side=256, name="slow"):
    build = Builder()
    # The loop starts from the input and its result, times nothing, goes into the output, so that no optimiser may
    # compute it beforehand or leave it out.
    mean = build("ReduceMean", "images", keepdims=0)
    square = build.integers([side, side])
    matrix = build("ConstantOfShape", square, value=helper.make_tensor("value", TensorProto.FLOAT, [1], [1 / side]))
    start = build("Expand", mean, square)
    state = [side, side]
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["state", matrix], ["next"]),
            helper.make_node("Identity", ["going"], ["goes_on"]),
        ],
        "round",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, state),
        ],
        [
            helper.make_tensor_value_info("goes_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, state),
        ],
    )
    burnt = build("Loop", build.integers(rounds), build.constant(True, bool), start, body=body)
    nothing = build("Clip", build("ReduceMean", burnt, keepdims=0), build.floats(0), build.floats(0))
    build.write(name, v8_output(build, "images", delay=nothing), TensorProto.FLOAT, ["batch", 7, "cells"])


def identity_unknown():
    build = Builder()
    means = build("Unsqueeze", build("GlobalAveragePool", "images"), build.integers([4]))
    shape = build("Concat", build.length("images", 0), build.integers([3, 7, 7, 7]), axis=0)
    build.write("identity-unknown", build("Expand", means, shape), TensorProto.FLOAT, ["batch", 3, 7, 7, 7])


def unsupported_output():
    build = Builder()
    means = build("ReduceMean", "images", axes=[2, 3], keepdims=0)
    build.write("unsupported-output", build("Cast", means, to=TensorProto.DOUBLE), TensorProto.DOUBLE, ["batch", 3])


def failing():
    build = Builder()
    shape = build("Concat", build.length("images", 0), build.integers([3, 160, 160]), axis=0)
    build.write("failing", build("Reshape", "images", shape), TensorProto.FLOAT, ["batch", 3, 160, 160])


def scene():
    """160 x 160, RGB 0…1: grey, with a red, a green and a blue cell."""
    picture = np.full((1, 3, 160, 160), 0.5, np.float32)
    for (row, column), colour in {(1, 2): 0, (3, 4): 1, (9, 9): 2}.items():
        picture[:, :, row * 16 : row * 16 + 16, column * 16 : column * 16 + 16] = np.eye(3)[colour][:, None, None]
    return picture


def check():
    import onnxruntime

    expected = {("red", 40, 24), ("green", 72, 56), ("blue", 152, 152)}
    picture = scene()

    def run(name, images):
        return onnxruntime.InferenceSession(FOLDER / f"{name}.onnx").run(None, {"images": images})[0]

    def found(rows):
        """From rows of cx, cy, w, h and three scores."""
        assert np.all(rows[rows[:, 4:].max(1) > 0.5, 2:4] == STRIDE)
        return {(NAMES[int(row[4:].argmax())], int(row[0]), int(row[1])) for row in rows if row[4:].max() > 0.5}

    assert found(run("blocks-v8", picture)[0].T) == expected
    assert found(run("slow", picture)[0].T) == expected
    assert found(run("blocks-fixed-v8", picture.astype(np.float16))[0].T) == expected
    assert found(run("blocks-uint8-v8", (picture * 255).astype(np.uint8))[0].T) == expected
    rows = run("blocks-v5", picture)[0]
    assert found(np.concatenate([rows[:, :4], rows[:, 4:5] * rows[:, 5:]], 1)) == expected
    rows = run("blocks-end2end", picture)[0]
    assert {(NAMES[int(r[5])], int(r[0] + r[2]) // 2, int(r[1] + r[3]) // 2) for r in rows[:3]} == expected
    assert not rows[3:].any() and len(rows) == 50
    rows = run("blocks-yolox", picture[:, ::-1] * 255)[0]
    assert not rows[:400, 4:].any() and not rows[500:, 4:].any()
    cells = np.arange(100)
    corners = np.stack([cells % 10, cells // 10], 1)
    boxes = np.concatenate([(rows[400:500, :2] + corners) * STRIDE, np.exp(rows[400:500, 2:4]) * STRIDE], 1)
    assert found(np.concatenate([boxes, rows[400:500, 4:5] * rows[400:500, 5:]], 1)) == expected
    decoded = run("blocks-yolox-decoded", picture[:, ::-1] * 255)[0]
    assert found(np.concatenate([decoded[:, :4], decoded[:, 4:5] * decoded[:, 5:]], 1)) == expected
    assert found(run("blocks-v8-rows", picture)[0]) == expected
    for dense in (run("blocks-v8-fractions", picture)[0].T, run("blocks-rtdetr", picture)[0]):
        assert found(np.concatenate([dense[:, :4] * 160, dense[:, 4:]], 1)) == expected
    for box in (run("blocks-deepstream", picture)[0], run("blocks-v7-end2end", picture)[:, [1, 2, 3, 4, 6, 5]]):
        box = box[box[:, 4] > 0.5]
        assert {(NAMES[int(r[5])], int(r[0] + r[2]) // 2, int(r[1] + r[3]) // 2) for r in box} == expected
    assert run("identity-unknown", picture).shape == (1, 3, 7, 7, 7)
    assert run("blocks-end2end", picture[:, :, :32, :64]).shape == (1, 50, 6)
    assert run("blocks-v8", np.concatenate([picture[:, :, :64, :96]] * 2)).shape == (2, 7, 24)


def main():
    whole = v8()
    (FOLDER / "broken.onnx").write_bytes(whole[: len(whole) // 2])
    # Years of products: only a run that is stopped ever ends. It has no --check for that reason.
    slow(rounds=1 << 40, name="endless")
    dense_v8("blocks-v8-rows", [1, 525, 7], transposed=True, metadata={"stride": "32"})
    dense_v8("blocks-v8-fractions", [1, 7, 525], transposed=False, scale=1 / 160)
    description = {"names": str(NAMES), "stride": "32", "task": "detect", "description": "Ultralytics rtdetr-l model"}
    dense_v8("blocks-rtdetr", [1, 525, 7], transposed=True, scale=1 / 160, metadata=description)
    for fixture in (yolox_decoded, deepstream, v7_end2end):
        fixture()
    for fixture in (uint8_v8, fixed_v8, v5, end2end, yolox, slow, identity_unknown, unsupported_output, failing):
        fixture()
    if "--check" in sys.argv:
        check()


if __name__ == "__main__":
    main()
