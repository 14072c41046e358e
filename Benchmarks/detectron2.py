# SPDX-License-Identifier: Apache-2.0
# Nereid: a vision model server.
"""Measures a full-size RetinaNet of Detectron2 (ResNet-50, 80 classes, random weights) at 720 × 1280 against PyTorch.

Nereid serves the checkpoint as Detectron2 would have saved it. What it is compared with is the network alone in PyTorch: the
same layers with the same weights, without Detectron2's own code for pictures and boxes, so that PyTorch has less to do.
Needs torch (pip install torch), and nothing else besides the standard library.

    python3 Benchmarks/detectron2.py --binary .build/release/nereid PICTURE.jpg ...
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import torch
from torch import nn

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from benchmark import Server, bench, processor_name  # noqa: E402

CONFIGURATION = """_BASE_: Base-RetinaNet.yaml
MODEL: {RESNETS: {DEPTH: 50}}
INPUT: {MIN_SIZE_TEST: 720, MAX_SIZE_TEST: 1280}
VERSION: 2
"""


class Normalisation(nn.Module):
    """A factor and a shift for each channel, from four vectors that do not change."""

    def __init__(self, channels):
        super().__init__()
        self.register_buffer("weight", torch.rand(channels) * 0.5 + 0.5)
        self.register_buffer("bias", torch.randn(channels) * 0.1)
        self.register_buffer("running_mean", torch.randn(channels) * 0.1)
        self.register_buffer("running_var", torch.rand(channels) + 0.5)

    def forward(self, x):
        factor = self.weight * (self.running_var + 1e-5).rsqrt()
        shift = self.bias - self.running_mean * factor
        return torch.addcmul(shift.view(1, -1, 1, 1), x, factor.view(1, -1, 1, 1))


class Convolution(nn.Conv2d):
    """A convolution, then its normalisation."""

    def __init__(self, inputs, outputs, kernel, stride=1, normalised=True):
        super().__init__(inputs, outputs, kernel, stride, kernel // 2, bias=not normalised)
        if normalised:
            self.norm = Normalisation(outputs)

    def forward(self, x):
        x = super().forward(x)
        return self.norm(x) if hasattr(self, "norm") else x


class Block(nn.Module):
    def __init__(self, inputs, inner, outputs, stride):
        super().__init__()
        if inputs != outputs:
            self.shortcut = Convolution(inputs, outputs, 1, stride)
        self.conv1 = Convolution(inputs, inner, 1, stride)
        self.conv2 = Convolution(inner, inner, 3)
        self.conv3 = Convolution(inner, outputs, 1)

    def forward(self, x):
        beside = self.shortcut(x) if hasattr(self, "shortcut") else x
        inner = self.conv2(self.conv1(x).relu_()).relu_()
        return (self.conv3(inner) + beside).relu_()


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.ModuleDict({"conv1": Convolution(3, 64, 7, 2)})
        inputs = 64
        for stage, (blocks, stride) in enumerate([(3, 1), (4, 2), (6, 2), (3, 2)]):
            outputs = 256 << stage
            layers = []
            for block in range(blocks):
                layers.append(Block(inputs, 64 << stage, outputs, stride if block == 0 else 1))
                inputs = outputs
            setattr(self, f"res{stage + 2}", nn.Sequential(*layers))

    def forward(self, x):
        x = nn.functional.max_pool2d(self.stem["conv1"](x).relu_(), 3, 2, 1)
        maps = []
        for stage in range(2, 6):
            x = getattr(self, f"res{stage}")(x)
            maps.append(x)
        return maps[1:]


class Pyramid(nn.Module):
    def __init__(self):
        super().__init__()
        self.bottom_up = Residual()
        for level in (3, 4, 5):
            setattr(self, f"fpn_lateral{level}", Convolution(256 << (level - 2), 256, 1, normalised=False))
            setattr(self, f"fpn_output{level}", Convolution(256, 256, 3, normalised=False))
        self.top_block = nn.ModuleDict(
            {"p6": Convolution(2048, 256, 3, 2, normalised=False), "p7": Convolution(256, 256, 3, 2, normalised=False)}
        )

    def forward(self, x):
        maps = self.bottom_up(x)
        outputs, above = [], None
        for level, stage in zip((5, 4, 3), reversed(maps)):
            x = getattr(self, f"fpn_lateral{level}")(stage)
            if above is not None:
                x = x + nn.functional.interpolate(above, scale_factor=2.0, mode="nearest")
            above = x
            outputs.insert(0, getattr(self, f"fpn_output{level}")(x))
        sixth = self.top_block["p6"](maps[-1])
        return [*outputs, sixth, self.top_block["p7"](sixth.relu())]


class RetinaNet(nn.Module):
    """The layers of Detectron2's RetinaNet, under the names that it gives them."""

    def __init__(self, classes=80, anchors=9):
        super().__init__()
        self.backbone = Pyramid()

        def tower():
            return nn.Sequential(*[layer for _ in range(4) for layer in (nn.Conv2d(256, 256, 3, padding=1), nn.ReLU())])

        self.head = nn.ModuleDict(
            {
                "cls_subnet": tower(),
                "bbox_subnet": tower(),
                "cls_score": nn.Conv2d(256, anchors * classes, 3, padding=1),
                "bbox_pred": nn.Conv2d(256, anchors * 4, 3, padding=1),
            }
        )
        # As a trained network's, nearly all scores are low.
        nn.init.constant_(self.head["cls_score"].bias, -6)

    def forward(self, x):
        return [
            (self.head["cls_score"](self.head["cls_subnet"](level)), self.head["bbox_pred"](self.head["bbox_subnet"](level)))
            for level in self.backbone(x)
        ]


def torch_per_second(network, seconds):
    """Runs on a picture of 720 × 1280 for so long."""
    picture = torch.randn(1, 3, 736, 1280)
    with torch.inference_mode():
        network(picture)
        begun, runs = time.monotonic(), 0
        while time.monotonic() - begun < seconds:
            network(picture)
            runs += 1
        return runs / (time.monotonic() - begun)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=".build/release/nereid")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--port", type=int, default=18180)
    parser.add_argument("--keep", help="write the checkpoint and its configuration into this folder, and measure nothing")
    parser.add_argument("pictures", nargs="*")
    options = parser.parse_args()
    torch.manual_seed(1)
    network = RetinaNet().eval()
    with tempfile.TemporaryDirectory() as folder:
        folder = options.keep or folder
        os.makedirs(folder, exist_ok=True)
        model = os.path.join(folder, "model_final.pth")
        torch.save({"model": network.state_dict()}, model)
        with open(os.path.join(folder, "config.yaml"), "w") as file:
            file.write(CONFIGURATION)
        if options.keep:
            return
        if not options.pictures:
            parser.error("name pictures to be looked at")
        os.environ["NEREID_CACHE"] = os.path.join(folder, "cache")
        ready = []
        for attempt in range(2):
            server = Server(options.binary, model, options.port + attempt)
            ready.append(server.seconds_to_ready)
            memory = server.resident_megabytes()
            server.stop()
        rounds = []
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds} …", file=sys.stderr)
            figures = {"torch": torch_per_second(network, options.seconds)}
            for stage in ("engine", "predict"):
                arguments = [model, *options.pictures, "--stage", stage, "--concurrency", str(os.cpu_count())]
                figures[stage] = bench(options.binary, arguments, options.seconds)["requests_per_second"]
            rounds.append(figures)
    median = {name: statistics.median(figures[name] for figures in rounds) for name in rounds[0]}
    print(f"{os.cpu_count()} × {processor_name()}, RetinaNet R-50 FPN, 80 classes, 720 × 1280, torch {torch.__version__}")
    print(json.dumps({"ready_s": ready, "resident_mb": memory, "images_per_second": median}, indent=2))


if __name__ == "__main__":
    main()
