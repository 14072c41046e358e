# SPDX-License-Identifier: Apache-2.0
# Nereid: a vision model server.
"""The network: a small convolutional backbone, a two-way feature pyramid, and an anchor-free head.

It answers for every cell of three grids (strides 8, 16, 32) how far the sides of a box lie from the cell's centre, as
distributions over whole numbers of cells, and one logit for each class.
"""

import torch
from torch import nn

STRIDES = (8, 16, 32)
BINS = 12  # A side lies 0 to 11 cells away from the centre of its cell.


class Convolution(nn.Sequential):
    """Convolution, batch normalisation, SiLU."""

    def __init__(self, inputs: int, outputs: int, size: int = 1, stride: int = 1):
        super().__init__(
            nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False),
            nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.03),
            nn.SiLU(inplace=True),
        )


class Residual(nn.Module):
    """Two 3x3 convolutions around which the input is carried past."""

    def __init__(self, channels: int):
        super().__init__()
        self.layers = nn.Sequential(Convolution(channels, channels, 3), Convolution(channels, channels, 3))

    def forward(self, x):
        return x + self.layers(x)


class Stage(nn.Module):
    """Half of the channels pass residual blocks; all intermediate results are kept and mixed at the end."""

    def __init__(self, inputs: int, outputs: int, depth: int):
        super().__init__()
        half = outputs // 2
        self.enter = Convolution(inputs, outputs)
        self.blocks = nn.ModuleList(Residual(half) for _ in range(depth))
        self.leave = Convolution((2 + depth) * half, outputs)

    def forward(self, x):
        kept = list(self.enter(x).chunk(2, 1))
        for block in self.blocks:
            kept.append(block(kept[-1]))
        return self.leave(torch.cat(kept, 1))


class Context(nn.Module):
    """Sees further: the maxima over windows of 5, 9 and 13 cells, beside the input."""

    def __init__(self, channels: int):
        super().__init__()
        self.enter = Convolution(channels, channels // 2)
        self.pool = nn.MaxPool2d(5, 1, 2)
        self.leave = Convolution(channels * 2, channels)

    def forward(self, x):
        kept = [self.enter(x)]
        for _ in range(3):
            kept.append(self.pool(kept[-1]))
        return self.leave(torch.cat(kept, 1))


class Detector(nn.Module):
    """Pictures [N, 3, H, W] in 0..1, sides multiples of 32, to one map [N, 4 * BINS + classes, h, w] for each stride."""

    def __init__(self, classes: int, widths=(16, 32, 64, 112, 160), neck: int = 64, branch: int = 48):
        super().__init__()
        stem, w2, w3, w4, w5 = widths
        self.classes = classes
        self.stage2 = nn.Sequential(Convolution(3, stem, 3, 2), Convolution(stem, w2, 3, 2), Stage(w2, w2, 1))
        self.stage3 = nn.Sequential(Convolution(w2, w3, 3, 2), Stage(w3, w3, 2))
        self.stage4 = nn.Sequential(Convolution(w3, w4, 3, 2), Stage(w4, w4, 2))
        self.stage5 = nn.Sequential(Convolution(w4, w5, 3, 2), Stage(w5, w5, 1), Context(w5))

        self.lateral5 = Convolution(w5, neck)
        self.up4 = Stage(w4 + neck, neck, 1)
        self.up3 = Stage(w3 + neck, neck, 1)
        self.down4 = Convolution(neck, neck, 3, 2)
        self.merge4 = Stage(2 * neck, neck, 1)
        self.down5 = Convolution(neck, neck, 3, 2)
        self.merge5 = Stage(2 * neck, neck, 1)
        self.enlarge = nn.Upsample(scale_factor=2, mode="nearest")

        self.boxes = nn.ModuleList(
            nn.Sequential(Convolution(neck, branch, 3), nn.Conv2d(branch, 4 * BINS, 1)) for _ in STRIDES
        )
        self.scores = nn.ModuleList(
            nn.Sequential(Convolution(neck, branch, 3), Convolution(branch, branch, 3), nn.Conv2d(branch, classes, 1))
            for _ in STRIDES
        )
        for box, score in zip(self.boxes, self.scores):
            nn.init.constant_(box[-1].bias, 1.0)
            # About one cell in a hundred holds an object: without this the first steps only unlearn noise.
            nn.init.constant_(score[-1].bias, -4.6)

    def forward(self, pictures):
        c3 = self.stage3(self.stage2(pictures))
        c4 = self.stage4(c3)
        p5 = self.lateral5(self.stage5(c4))
        p4 = self.up4(torch.cat([c4, self.enlarge(p5)], 1))
        p3 = self.up3(torch.cat([c3, self.enlarge(p4)], 1))
        p4 = self.merge4(torch.cat([p4, self.down4(p3)], 1))
        p5 = self.merge5(torch.cat([p5, self.down5(p4)], 1))
        return [
            torch.cat([box(level), score(level)], 1)
            for level, box, score in zip((p3, p4, p5), self.boxes, self.scores)
        ]


def cell_centres(height: int, width: int):
    """The centres of all cells of a picture of this size, in pixels, [A, 2], and the stride of each, [A, 1]."""
    centres, strides = [], []
    for stride in STRIDES:
        y, x = torch.meshgrid(torch.arange(height // stride), torch.arange(width // stride), indexing="ij")
        centres.append((torch.stack([x, y], -1).reshape(-1, 2).float() + 0.5) * stride)
        strides.append(torch.full((centres[-1].shape[0], 1), float(stride)))
    return torch.cat(centres), torch.cat(strides)


def flatten(maps, classes: int):
    """The maps as rows: logits of the sides' distributions [N, A, 4, BINS] and of the classes [N, A, classes]."""
    rows = torch.cat([m.flatten(2) for m in maps], 2).transpose(1, 2)
    sides, scores = rows.split((4 * BINS, classes), 2)
    return sides.unflatten(2, (4, BINS)), scores


def corners(sides, centres, strides):
    """The boxes [N, A, 4] (left, top, right, bottom in pixels) that distributions of the sides stand for."""
    distances = sides.softmax(3) @ torch.arange(BINS, dtype=sides.dtype, device=sides.device) * strides
    return torch.cat([centres - distances[..., :2], centres + distances[..., 2:]], -1)
