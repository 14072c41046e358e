#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Nereid: a vision model server.
"""Writes blocks.pt: a checkpoint in the form in which YOLOv5 saves them, whose network finds blocks of pure colour.

    pip install torch==2.15.0
    python3 Tests/Fixtures/make_checkpoint.py
    python3 Tests/Fixtures/make_checkpoint.py --large large.pt   # random weights, as many as YOLOv5x has: for measuring

The modules below only carry the names and attributes that such a file has; they cannot run. The network is

    0  Conv    16 x 16 pixels to the mean of each channel, no activation
    1  Detect  one level of stride 16 with one anchor of 16 x 16 pixels, three classes

A cell's logit for a class, which is red, green or blue, is 20 (that channel - the sum of the other two) - 10 over channels from
0 to 1; its objectness is all but 1, and its box is the cell itself. So a pure block at a cell's place scores 1 / (1 + e^-10) for
its colour, and grey of any brightness nothing.
"""

import argparse
import pathlib
import sys
import types

import torch
from torch import nn

STRIDE = 16


def belongs_to(module):
    """Says that a class stands in this module, which need not exist where the file is read."""

    def mark(kind):
        kind.__module__ = module
        home = sys.modules.setdefault(module, types.ModuleType(module))
        sys.modules.setdefault(module.split(".")[0], types.ModuleType(module.split(".")[0]))
        setattr(home, kind.__name__, kind)
        return kind

    return mark


@belongs_to("models.common")
class Conv(nn.Module):
    def __init__(self, inputs=3, outputs=3, size=STRIDE, stride=STRIDE, padding=0):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=0.0)
        self.act = nn.Identity()

    @classmethod
    def means(cls):
        layer = cls()
        layer.conv.weight.data = torch.eye(3).reshape(3, 3, 1, 1).expand(-1, -1, STRIDE, STRIDE).clone() / STRIDE**2
        return layer


@belongs_to("models.yolo")
class Detect(nn.Module):
    def __init__(self, channels=3):
        super().__init__()
        self.nc, self.no, self.nl, self.na = 3, 8, 1, 1
        self.grid, self.anchor_grid = [torch.empty(0)], [torch.empty(0)]
        self.stride = torch.tensor([float(STRIDE)])
        self.register_buffer("anchors", torch.ones(1, 1, 2))  # in strides
        self.m = nn.ModuleList([nn.Conv2d(channels, 8, 1)])
        self.inplace = True

    @classmethod
    def colours(cls):
        layer = cls()
        weight, bias = torch.zeros(8, 3), torch.zeros(8)
        bias[4] = 20.0
        for colour in range(3):
            weight[5 + colour] = -20.0
            weight[5 + colour, colour] = 20.0
            bias[5 + colour] = -10.0
        layer.m[0].weight.data, layer.m[0].bias.data = weight.reshape(8, 3, 1, 1), bias
        return layer


@belongs_to("models.yolo")
class Model(nn.Module):
    def __init__(self, *layers):
        super().__init__()
        self.model = nn.Sequential(*layers)
        for index, layer in enumerate(self.model):
            layer.i, layer.f, layer.np = index, -1, sum(p.numel() for p in layer.parameters())
            layer.type = f"{type(layer).__module__}.{type(layer).__name__}"
        self.save, self.names, self.nc = [], ["red", "green", "blue"], 3
        self.stride = torch.tensor([float(STRIDE)])
        self.yaml = {"nc": 3, "ch": 3}


def large(width=1280, depth=6):
    """Six wide convolutions: 90 million weights, 180 MB in half precision."""
    torch.manual_seed(1)
    return Model(Conv(outputs=width), *(Conv(width, width, 3, 1, 1) for _ in range(depth)), Detect(width))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", type=pathlib.Path, metavar="FILE", help="write a large checkpoint here instead")
    arguments = parser.parse_args()
    model = (large() if arguments.large else Model(Conv.means(), Detect.colours())).half().eval()
    for parameter in model.parameters():
        parameter.requires_grad = False
    checkpoint = {"epoch": -1, "best_fitness": None, "model": model, "ema": None, "updates": None, "optimizer": None}
    torch.save(checkpoint, arguments.large or pathlib.Path(__file__).resolve().parent / "blocks.pt")


if __name__ == "__main__":
    main()
