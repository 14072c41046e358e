# SPDX-License-Identifier: Apache-2.0
# Nereid: a vision model server.
"""Square training pictures out of labelled ones: parts of four beside each other, or of one; moved, scaled, mirrored, tinted."""

import numpy as np
from PIL import Image

from .labelled import LabelledPicture

GREY = (114, 114, 114)  # What Nereid's letterbox fills with.
LEAST_SIDE = 3  # pixels: what is left of an object after cropping must be larger
LEAST_PART = 0.25  # and this much of its area must be left


def paste(canvas, source: LabelledPicture, scale: float, corner, window, mirrored: bool, smooth: bool):
    """Draws a picture scaled by `scale`, its top left at `corner`, into the part `window` of the canvas.

    Returns the boxes and classes of what can be seen of it.
    """
    picture, boxes = source.picture, source.boxes
    if mirrored:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        boxes = np.stack([picture.width - boxes[:, 2], boxes[:, 1], picture.width - boxes[:, 0], boxes[:, 3]], 1)
    left, top = max(window[0], round(corner[0])), max(window[1], round(corner[1]))
    right = min(window[2], round(corner[0] + picture.width * scale))
    bottom = min(window[3], round(corner[1] + picture.height * scale))
    if right <= left or bottom <= top:
        return boxes[:0], source.classes[:0]
    region = (
        max((left - corner[0]) / scale, 0),
        max((top - corner[1]) / scale, 0),
        min((right - corner[0]) / scale, picture.width),
        min((bottom - corner[1]) / scale, picture.height),
    )
    size = (right - left, bottom - top)
    if smooth:
        part = picture.resize(size, Image.Resampling.BILINEAR, box=region)
    else:
        # Without antialiasing, as a served picture will be resized.
        part = picture.transform(size, Image.Transform.EXTENT, region, Image.Resampling.BILINEAR)
    canvas.paste(part, (left, top))

    moved = boxes * scale + np.tile(np.asarray(corner, dtype=np.float32), 2)
    seen = np.stack(
        [
            moved[:, 0].clip(left, right),
            moved[:, 1].clip(top, bottom),
            moved[:, 2].clip(left, right),
            moved[:, 3].clip(top, bottom),
        ],
        1,
    )
    sides = seen[:, 2:] - seen[:, :2]
    whole = (moved[:, 2:] - moved[:, :2]).prod(1)
    kept = (sides.min(1, initial=np.inf) > LEAST_SIDE) & (sides.prod(1) > LEAST_PART * whole)
    return seen[kept], source.classes[kept]


def mosaic(draw, size: int, random: np.random.Generator):
    """Parts of four pictures around a point; `draw()` gives a picture."""
    canvas = Image.new("RGB", (size, size), GREY)
    x, y = (int(size * random.uniform(0.3, 0.7)) for _ in range(2))
    boxes, classes = [], []
    for window in ((0, 0, x, y), (x, 0, size, y), (0, y, x, size), (x, y, size, size)):
        source = draw()
        scale = size * np.exp(random.uniform(np.log(0.6), np.log(1.7))) / max(source.picture.size)
        corner = []
        for axis in range(2):
            # Where the picture is larger than its part of the canvas, any stretch of it may be seen.
            slack = window[axis + 2] - window[axis] - source.picture.size[axis] * scale
            corner.append(window[axis] + random.uniform(min(slack, 0), max(slack, 0)))
        seen, kinds = paste(canvas, source, scale, corner, window, random.random() < 0.5, random.random() < 0.3)
        boxes.append(seen)
        classes.append(kinds)
    return canvas, np.concatenate(boxes), np.concatenate(classes)


def single(draw, size: int, random: np.random.Generator, spread: float = 0.6):
    """One picture, somewhere on the canvas, up to `spread` larger or smaller (in octaves) than just fits."""
    canvas = Image.new("RGB", (size, size), GREY)
    source = draw()
    scale = size * 2 ** random.uniform(-spread * 0.6, spread) / max(source.picture.size)
    corner = [random.uniform(*sorted((0.0, size - side * scale))) for side in source.picture.size]
    window = (0, 0, size, size)
    boxes, classes = paste(canvas, source, scale, corner, window, random.random() < 0.5, random.random() < 0.3)
    return canvas, boxes, classes


def tint(pixels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Other light: gain for each channel, saturation, contrast, brightness; [H, W, 3] bytes in and out."""
    values = pixels.astype(np.float32)
    grey = values.mean(2, keepdims=True)
    values = grey + (values - grey) * random.uniform(0.4, 1.5)
    values *= random.uniform(0.85, 1.15, size=3).astype(np.float32) * random.uniform(0.7, 1.3)
    middle = values.mean()
    values = middle + (values - middle) * random.uniform(0.75, 1.25)
    return values.clip(0, 255).astype(np.uint8)
