# SPDX-License-Identifier: Apache-2.0
# Nereid: a vision model server.
"""Which cell answers for which object: task-aligned assignment (Feng et al., “TOOD”, ICCV 2021, section 3.3)."""

import torch

CANDIDATES = 10  # cells for one object
SCORE_POWER, OVERLAP_POWER = 0.5, 6.0
LEAST_REACH = 0.75  # of a stride: a box smaller than this still owns the cell that its centre lies in


def intersection_over_union(a, b):
    """Intersection over union of boxes [..., 4] that can be broadcast against each other."""
    top_left = torch.maximum(a[..., :2], b[..., :2])
    bottom_right = torch.minimum(a[..., 2:], b[..., 2:])
    shared = (bottom_right - top_left).clamp(min=0).prod(-1)
    areas = (a[..., 2:] - a[..., :2]).clamp(min=0).prod(-1) + (b[..., 2:] - b[..., :2]).clamp(min=0).prod(-1)
    return shared / (areas - shared + 1e-9)


@torch.no_grad()
def assign(scores, boxes, truth_boxes, truth_classes, present, centres, strides):
    """Gives each object the cells whose score and box already fit it best.

    Of the N pictures of a batch each has up to M objects and A cells.

    - scores [N, A, C]: probabilities; boxes [N, A, 4]: predicted, in pixels.
    - truth_boxes [N, M, 4], truth_classes [N, M], present [N, M]: the objects, and which of the M are real.
    - Returns the object of each cell [N, A], whether it has one [N, A], and how well it should score [N, A].
    """
    objects = truth_boxes.shape[1]
    class_of = truth_classes.unsqueeze(2).expand(-1, -1, scores.shape[1])
    class_scores = scores.transpose(1, 2).gather(1, class_of)  # [N, M, A]
    overlaps = intersection_over_union(truth_boxes.unsqueeze(2), boxes.unsqueeze(1))

    middle = (truth_boxes[..., :2] + truth_boxes[..., 2:]).unsqueeze(2) / 2
    half = (truth_boxes[..., 2:] - truth_boxes[..., :2]).unsqueeze(2) / 2
    reach = torch.maximum(half, LEAST_REACH * strides)
    inside = ((centres - middle).abs() < reach).all(-1) & present.unsqueeze(2)

    alignment = class_scores.pow(SCORE_POWER) * overlaps.pow(OVERLAP_POWER)
    alignment = torch.where(inside, alignment + 1e-9, torch.zeros_like(alignment))
    best, cells = alignment.topk(min(CANDIDATES, alignment.shape[2]), 2)
    chosen = torch.zeros_like(alignment).scatter_(2, cells, (best > 0).to(alignment.dtype)) > 0

    # A cell that several objects want goes to the one that it overlaps most.
    wanted = torch.where(chosen, overlaps, torch.full_like(overlaps, -1))
    most, object_of = wanted.max(1)
    owned = most >= 0
    mine = chosen & (torch.arange(objects, device=scores.device).view(1, -1, 1) == object_of.unsqueeze(1))

    # The best cell of an object should score as high as its box is good; the others in proportion.
    alignment = alignment * mine
    peak = alignment.amax(2, keepdim=True)
    good = (overlaps * mine).amax(2, keepdim=True)
    target = (alignment / (peak + 1e-9) * good).amax(1)
    return object_of, owned, target
