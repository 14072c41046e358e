# SPDX-License-Identifier: Apache-2.0
# Nereid: a vision model server.
"""What the network is trained to make small."""

import math

import torch
from torch.nn import functional

from .assignment import assign
from .network import BINS, cell_centres, corners, flatten

BOX_WEIGHT, SCORE_WEIGHT, SIDE_WEIGHT = 7.5, 0.5, 1.5


def complete_overlap(a, b):
    """Complete IoU of boxes [K, 4] (Zheng et al., “Distance-IoU Loss”, AAAI 2020): overlap, distance, proportions."""
    width_a, height_a = (a[:, 2] - a[:, 0]).clamp(min=1e-3), (a[:, 3] - a[:, 1]).clamp(min=1e-3)
    width_b, height_b = (b[:, 2] - b[:, 0]).clamp(min=1e-3), (b[:, 3] - b[:, 1]).clamp(min=1e-3)
    shared = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0).prod(1)
    overlap = shared / (width_a * height_a + width_b * height_b - shared + 1e-7)
    hull = torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])
    apart = (a[:, :2] + a[:, 2:] - b[:, :2] - b[:, 2:]).square().sum(1) / 4
    shape = 4 / math.pi**2 * (torch.atan(width_b / height_b) - torch.atan(width_a / height_a)).square()
    with torch.no_grad():
        weight = shape / (1 - overlap + shape + 1e-7)
    return overlap - apart / (hull.square().sum(1) + 1e-7) - weight * shape


def side_loss(logits, distances):
    """Cross entropy of the sides' distributions [K, 4, BINS] with the two whole numbers around each distance [K, 4]
    (Li et al., “Generalized Focal Loss”, NeurIPS 2020, section 3.2)."""
    distances = distances.clamp(0, BINS - 1.01)
    lower = distances.long()
    part = distances - lower
    flat = logits.flatten(0, 1)
    below = functional.cross_entropy(flat, lower.flatten(), reduction="none")
    above = functional.cross_entropy(flat, lower.flatten() + 1, reduction="none")
    return (below * (1 - part).flatten() + above * part.flatten()).view_as(distances).mean(1)


def detection_loss(maps, classes: int, truth_boxes, truth_classes, present, size: int):
    """The loss of a batch of square pictures, and its three parts (boxes, scores, sides) as floats for the log."""
    sides, logits = flatten(maps, classes)
    centres, strides = (t.to(logits.device) for t in cell_centres(size, size))
    boxes = corners(sides, centres, strides)
    object_of, owned, target = assign(
        logits.detach().sigmoid(), boxes.detach(), truth_boxes, truth_classes, present, centres, strides
    )
    class_of = truth_classes.gather(1, object_of)
    wanted = torch.zeros_like(logits)
    wanted.scatter_(2, class_of.unsqueeze(2), (target * owned).unsqueeze(2))
    total = wanted.sum().clamp(min=1)
    score = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="sum") / total

    if owned.any():
        weight = target[owned]
        theirs = truth_boxes.gather(1, object_of.unsqueeze(2).expand(-1, -1, 4))[owned]
        box = ((1 - complete_overlap(boxes[owned], theirs)) * weight).sum() / total
        cell = centres.expand(boxes.shape[0], -1, -1)[owned]
        stride = strides.expand(boxes.shape[0], -1, -1)[owned]
        distances = torch.cat([cell - theirs[:, :2], theirs[:, 2:] - cell], 1) / stride
        side = (side_loss(sides[owned], distances) * weight).sum() / total
    else:
        box = side = logits.sum() * 0
    loss = BOX_WEIGHT * box + SCORE_WEIGHT * score + SIDE_WEIGHT * side
    return loss, (box.item(), score.item(), side.item())
