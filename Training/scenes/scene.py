# SPDX-License-Identifier: Apache-2.0
# Nereid: a vision model server.
"""One generated scene: water, animals, and where they are."""

import numpy as np
from PIL import Image, ImageFilter

from pictures.labelled import LabelledPicture

from .animals import ANIMALS, draw
from .water import Water

LEAST_SEEN = 0.4  # An animal of which less than this part lies within the scene, or that others hide, does not count.
MOST_SHARED = 0.2  # Overlap of two animals, as a part of the smaller box.


def generate(seed: int, width: int = 512, height: int = 384, kinds: list[int] | None = None) -> LabelledPicture:
    """The scene of a seed: the same seed, size and kinds always give the same pixels and boxes.

    `kinds` asks for these animals (numbers of classes) instead of a random school.
    """
    random = np.random.default_rng(seed)
    water = Water(random, width, height)
    picture = water.background()
    boxes, classes = [], []
    if kinds is None:
        count = 1 + random.poisson(4)
        # Animals come in company: mostly one or two kinds to a scene.
        company = random.choice(len(ANIMALS), size=random.integers(1, 4), replace=False)
        kinds = [int(random.choice(company)) for _ in range(count)]
    # The far ones first, so that the near ones lie over them.
    distances = np.sort(random.uniform(0, 1, len(kinds)))[::-1]
    for kind, distance in zip(kinds, distances):
        _, _, (smallest, largest), is_grounded = ANIMALS[kind]
        length = height * np.exp(np.log(largest) + (np.log(smallest) - np.log(largest)) * distance) * random.uniform(0.85, 1.15)
        paint, body = draw(kind, length, random)
        bounds = body.point(lambda value: 255 if value >= 128 else 0).getbbox()
        if bounds is None:
            continue
        place = _place(random, bounds, boxes, width, height, water.floor if is_grounded else None)
        if place is None:
            continue
        left, top, box = place
        _blend(picture, paint, left, top, water.haze(distance), 0.55 * distance + 0.1 * random.random(), distance)
        boxes.append(box)
        classes.append(kind)
    return LabelledPicture(
        water.finish(picture),
        np.asarray(boxes, dtype=np.float32).reshape(-1, 4),
        np.asarray(classes, dtype=np.int64),
        f"scene-{seed}",
    )


def _place(random, bounds, taken, width: int, height: int, floor: float | None):
    """Where the sprite goes so that its body hides no other and is mostly in the scene; `None` if there is no room."""
    body_width, body_height = bounds[2] - bounds[0], bounds[3] - bounds[1]
    for _ in range(20):
        x = random.uniform(-0.15 * body_width, width - 0.85 * body_width)
        y = random.uniform(-0.15 * body_height, height - 0.85 * body_height)
        if floor is not None and floor < 1:
            y = random.uniform(min(floor * height, height - body_height), height - 0.85 * body_height)
        x, y = round(x), round(y)
        box = (max(x, 0), max(y, 0), min(x + body_width, width), min(y + body_height, height))
        area = (box[2] - box[0]) * (box[3] - box[1])
        if area < LEAST_SEEN * body_width * body_height:
            continue
        if all(_shared(box, other) < MOST_SHARED for other in taken):
            return x - bounds[0], y - bounds[1], box
    return None


def _shared(a, b) -> float:
    """The common area of two boxes as a part of the smaller one."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))


def _blend(picture: np.ndarray, paint: Image.Image, left: int, top: int, haze, veil: float, distance: float):
    """Lays a sprite over the scene, seen through the water."""
    if distance > 0.7:
        paint = paint.filter(ImageFilter.GaussianBlur(0.6))
    height, width = picture.shape[:2]
    x1, y1, x2, y2 = max(left, 0), max(top, 0), min(left + paint.width, width), min(top + paint.height, height)
    if x2 <= x1 or y2 <= y1:
        return
    pixels = np.asarray(paint.crop((x1 - left, y1 - top, x2 - left, y2 - top)), dtype=np.float32)
    alpha = pixels[..., 3:] / 255
    part = picture[y1:y2, x1:x2]
    part[:] = part * (1 - alpha) + (pixels[..., :3] * (1 - veil) + haze * veil) * alpha
