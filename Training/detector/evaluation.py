# SPDX-License-Identifier: Apache-2.0
# Nereid: a vision model server.
"""Average precision on the validation pictures, to follow a training. What is published is measured through the served
model instead: Benchmarks/demo.py."""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from pictures.augmentation import GREY

from .assignment import intersection_over_union
from .network import cell_centres, corners, flatten

THRESHOLDS = np.arange(0.5, 1, 0.05)


@dataclass
class Precision:
    at_half: float  # mean over the classes at IoU 0.5
    mean: float  # also over IoU 0.5, 0.55, …, 0.95


def letterbox(picture: Image.Image, size: int):
    """The picture in the middle of a grey square, as numbers 0..1 [3, size, size]; the scale; the offset."""
    scale = size / max(picture.size)
    inner = [round(side * scale) for side in picture.size]
    left, top = (size - inner[0]) // 2, (size - inner[1]) // 2
    canvas = Image.new("RGB", (size, size), GREY)
    canvas.paste(picture.resize(inner, Image.Resampling.BILINEAR), (left, top))
    return torch.from_numpy(np.array(canvas)).permute(2, 0, 1).float() / 255, scale, (left, top)


@torch.no_grad()
def detect(network, picture: Image.Image, classes: int, size: int, confidence=0.01, overlap=0.6, most=300):
    """Boxes [K, 4] in pixels of the picture, scores [K] and classes [K], best first."""
    values, scale, offset = letterbox(picture, size)
    device = next(network.parameters()).device
    maps = network(values.unsqueeze(0).to(device, memory_format=torch.channels_last))
    sides, logits = flatten([m.cpu() for m in maps], classes)
    boxes = corners(sides, *cell_centres(size, size))[0]
    scores, kinds = logits[0].sigmoid().max(1)
    order = scores.argsort(descending=True)
    order = order[scores[order] > confidence][:1000]
    boxes, scores, kinds = boxes[order], scores[order], kinds[order]
    apart = boxes + kinds.unsqueeze(1) * 4096.0  # Classes do not suppress each other.
    overlaps = intersection_over_union(apart.unsqueeze(1), apart.unsqueeze(0)).numpy()
    kept, alive = [], np.ones(len(order), bool)
    for index in range(len(order)):
        if alive[index]:
            kept.append(index)
            alive &= overlaps[index] <= overlap
    kept = kept[:most]
    shift = torch.tensor([*offset, *offset])
    return ((boxes[kept] - shift) / scale).numpy(), scores[kept].numpy(), kinds[kept].numpy()


def average_precision(scores, hits, objects: int) -> float:
    """The area under precision over recall, interpolated at 101 points as COCO does."""
    if objects == 0:
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    found = np.cumsum(hits[order])
    recall, precision = found / objects, found / np.arange(1, len(found) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(recall, np.linspace(0, 1, 101))
    return float(np.mean(np.append(precision, 0)[places]))


def mean_average_precision(network, pictures, classes: int, size: int) -> Precision:
    """Mean average precision of a network in evaluation mode."""
    scores = [[] for _ in range(classes)]
    hits = [[] for _ in range(classes)]
    objects = np.zeros(classes, int)
    for labelled in pictures:
        boxes, found, kinds = detect(network, labelled.picture, classes, size)
        for c in range(classes):
            truth = labelled.boxes[labelled.classes == c]
            objects[c] += len(truth)
            mine = kinds == c
            overlaps = intersection_over_union(
                torch.from_numpy(boxes[mine]).float().unsqueeze(1), torch.from_numpy(truth).unsqueeze(0)
            ).numpy()
            hit = np.zeros((mine.sum(), len(THRESHOLDS)), bool)
            for t, threshold in enumerate(THRESHOLDS):
                free = np.ones(len(truth), bool)
                for row in range(len(overlaps)):
                    candidates = np.where(free & (overlaps[row] >= threshold), overlaps[row], -1)
                    if len(candidates) and candidates.max() >= 0:
                        free[candidates.argmax()] = False
                        hit[row, t] = True
            scores[c].append(found[mine])
            hits[c].append(hit)
    table = np.array(
        [
            [average_precision(np.concatenate(scores[c]), np.concatenate(hits[c])[:, t], objects[c])
             for t in range(len(THRESHOLDS))]
            for c in range(classes)
        ]
    )
    return Precision(float(np.nanmean(table[:, 0])), float(np.nanmean(table)))
