# SPDX-License-Identifier: Apache-2.0
# Nereid: a vision model server.
"""The seven animals, drawn from curves.

Each looks to the right in coordinates from -1 to 1, y downwards. What counts for its box is drawn as body; the trailing
parts that people leave out when they draw boxes (tentacles, a ray's tail) are not.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from .water import colour, noise

OVERSAMPLING = 2
EXTENT = 1.45  # Half of the sprite's side in the animal's coordinates: room for what trails behind.


class Sprite:
    """One animal being drawn: its colours, what covers its surroundings, and what its box is measured by."""

    def __init__(self, pixels: int, random: np.random.Generator):
        self.side = max(24, int(pixels * OVERSAMPLING * EXTENT))
        self.random = random
        self.paint = Image.new("RGBA", (self.side, self.side))
        self.body = Image.new("L", (self.side, self.side))
        self._pen = ImageDraw.Draw(self.paint)
        self._body_pen = ImageDraw.Draw(self.body)
        self.unit = self.side / (2 * EXTENT)

    def place(self, points) -> list[tuple[float, float]]:
        return [(float(x), float(y)) for x, y in np.asarray(points) * self.unit + self.side / 2]

    def shape(self, points, tone, alpha: int = 255, is_body: bool = True):
        placed = self.place(points)
        self._pen.polygon(placed, fill=(*np.clip(tone, 0, 255).astype(int).tolist(), alpha))
        if is_body:
            self._body_pen.polygon(placed, fill=255)

    def line(self, points, tone, width: float, alpha: int = 255):
        self._pen.line(
            self.place(points), fill=(*np.clip(tone, 0, 255).astype(int).tolist(), alpha),
            width=max(1, round(width * self.unit)), joint="curve",
        )

    def dot(self, x: float, y: float, radius: float, tone, alpha: int = 255):
        (left, top), (right, bottom) = self.place([(x - radius, y - radius), (x + radius, y + radius)])
        self._pen.ellipse((left, top, right, bottom), fill=(*np.clip(tone, 0, 255).astype(int).tolist(), alpha))

    def mottle(self, strength: float, lit: float = 0.35):
        """Light from above, and an uneven surface."""
        pixels = np.array(self.paint, dtype=np.float32)
        rows = np.linspace(1 + lit, 1 - lit, self.side, dtype=np.float32)[:, None]
        light = rows * (1 + strength * (noise(self.random, self.side, self.side, 18) - 0.5) * 2)
        pixels[..., :3] = (pixels[..., :3] * light[..., None]).clip(0, 255)
        self.paint = Image.fromarray(pixels.astype(np.uint8), "RGBA")
        self._pen = ImageDraw.Draw(self.paint)


def spindle(length: float, upper: float, lower: float, thickest: float = 0.4, blunt: float = 0.75, start: float = -1.0):
    """A body from tail (left) to snout: half a curve above, half below; heights are half the thickness."""
    t = np.linspace(0, 1, 40)
    warped = t ** (np.log(0.5) / np.log(1 - thickest))
    profile = np.sin(np.pi * warped) ** blunt
    x = start + t * length
    return np.concatenate([np.stack([x, -upper * profile], 1), np.stack([x, lower * profile], 1)[::-1]])


def fish(sprite: Sprite):
    random = sprite.random
    slim = random.uniform(0.16, 0.5)
    is_dull = random.random() < 0.45
    hue = random.uniform(0, 1)
    tone = colour(hue, random.uniform(0.05, 0.3), random.uniform(0.3, 0.8)) if is_dull else colour(hue, random.uniform(0.5, 1), random.uniform(0.5, 1))
    fin = tone * random.uniform(0.6, 1.1)
    fork = random.uniform(0.0, 0.25)
    spread = slim * random.uniform(0.6, 1.2) + 0.08
    sprite.shape([(-0.55, -0.05), (-1, -spread), (-1 + fork, 0), (-1, spread), (-0.55, 0.05)], fin)
    sprite.shape([(-0.35, -slim * 0.8), (-0.2, -slim - random.uniform(0.05, 0.25)), (0.25, -slim * 0.95), (0.4, -slim * 0.8)], fin)
    sprite.shape([(-0.4, slim * 0.7), (-0.3, slim + random.uniform(0.0, 0.18)), (0.0, slim * 0.9)], fin)
    body = spindle(1.65, slim, slim * random.uniform(0.85, 1.1), random.uniform(0.5, 0.65), start=-0.65)
    sprite.shape(body, tone)
    belly = spindle(1.5, 0.0, slim * 0.8, 0.55, start=-0.55)
    sprite.shape(belly, tone * 0.4 + np.array([235, 235, 225]) * 0.6, random.integers(90, 200), is_body=False)
    if random.random() < 0.4:
        stripe = colour(random.uniform(0, 1), random.uniform(0, 0.8), random.choice([0.12, 0.95]))
        for x in np.linspace(-0.35, 0.55, random.integers(2, 5)):
            height = slim * np.sin(np.pi * np.clip((x + 0.65) / 1.65, 0, 1)) ** 0.75 * 0.92
            sprite.shape([(x - 0.06, -height), (x + 0.05, -height), (x + 0.04, height), (x - 0.07, height)], stripe, is_body=False)
    sprite.shape([(0.2, 0.02), (-0.08, slim * 0.15), (-0.06, slim * 0.6)], fin * 0.9, 220, is_body=False)
    sprite.dot(0.68, -slim * 0.18, 0.06, (245, 245, 235))
    sprite.dot(0.69, -slim * 0.18, 0.035, (15, 15, 20))
    sprite.mottle(0.22)


def jellyfish(sprite: Sprite):
    random = sprite.random
    hue = random.choice([0.06, 0.1, 0.58, 0.75, 0.9]) + random.uniform(-0.03, 0.03)
    tone = colour(hue, random.uniform(0.15, 0.75), random.uniform(0.75, 1))
    tall = random.uniform(0.45, 0.85)
    for x in np.linspace(-0.7, 0.7, random.integers(6, 15)):
        steps = np.linspace(0, random.uniform(0.5, 1.0), 14)
        sway = x + np.sin(steps * random.uniform(4, 9) + random.uniform(0, 6)) * 0.06 * (1 + steps)
        sprite.line(np.stack([sway, 0.35 + steps], 1), tone, 0.014, 120)
    for x in np.linspace(-0.25, 0.25, random.integers(2, 5)):
        steps = np.linspace(0, random.uniform(0.5, 0.95), 20)
        sway = x + np.sin(steps * random.uniform(7, 14) + random.uniform(0, 6)) * 0.09
        sprite.line(np.stack([sway, 0.3 + steps], 1), tone * 0.5 + 120, 0.09, 110)
    angles = np.linspace(np.pi, 2 * np.pi, 40)
    dome = np.stack([np.cos(angles), 0.3 + tall * np.sin(angles) * np.abs(np.sin(angles)) ** 0.1], 1)
    lobes = np.linspace(1, -1, 49)
    rim = np.stack([lobes, 0.3 + 0.07 * np.abs(np.sin(lobes * np.pi * random.integers(3, 7)))
                    + random.uniform(0.05, 0.25) * (1 - lobes**2)], 1)
    sprite.shape(np.concatenate([dome, rim]), tone, int(random.integers(150, 235)))
    for share in np.linspace(-0.85, 0.85, random.integers(5, 12)):
        steps = np.linspace(0.05, 1, 14)
        ray = np.stack([share * np.sin(steps * np.pi / 2), 0.3 - tall * np.cos(steps * np.pi / 2) * 0.97], 1)
        sprite.line(ray, tone * 0.6, 0.03, 110)
    sprite.dot(0, 0.3 - tall * 0.45, tall * 0.3, tone * 0.3 + 170, 90)
    sprite.mottle(0.12, 0.25)


def penguin(sprite: Sprite):
    random = sprite.random
    thick = random.uniform(0.26, 0.36)
    dark = colour(random.uniform(0.55, 0.65), random.uniform(0.1, 0.4), random.uniform(0.08, 0.32))
    sprite.shape([(-0.8, -0.05), (-1, -0.12), (-0.95, 0.02), (-1, 0.14), (-0.78, 0.1)], colour(0.08, 0.4, 0.3))
    body = spindle(1.55, thick, thick, 0.5, 0.8, start=-0.9)
    sprite.shape(body, dark)
    sprite.shape(spindle(1.35, 0.0, thick * 0.92, 0.5, 0.8, start=-0.8) + [0, 0.03], (238, 240, 238), is_body=False)
    sprite.shape([(x * 0.24 + 0.62, y * 0.2 - 0.06) for x, y in circle(24)], dark)
    sprite.shape([(0.8, -0.12), (1.0, -0.02), (0.8, 0.02)], colour(0.07, random.uniform(0.2, 0.9), random.uniform(0.2, 0.8)))
    patch = colour(0.13, random.uniform(0.3, 0.9), 1) if random.random() < 0.6 else np.array([240, 240, 240])
    sprite.dot(0.55, 0.02, 0.075, patch)
    sprite.dot(0.72, -0.1, 0.028, (240, 240, 240))
    reach = random.uniform(0.35, 0.7)
    lean = random.uniform(-0.45, -0.1)
    up = random.choice([-1, 1])
    base = 0.05 if up > 0 else -0.1
    sprite.shape([(0.3, base), (0.1, base + up * 0.02), (lean - 0.1, base + up * reach), (lean + 0.02, base + up * reach)], dark * 1.35 + 8)
    sprite.mottle(0.15)


def puffin(sprite: Sprite):
    random = sprite.random
    thick = random.uniform(0.36, 0.46)
    dark = colour(random.uniform(0.5, 0.7), random.uniform(0.05, 0.3), random.uniform(0.08, 0.28))
    orange = colour(random.uniform(0.03, 0.07), random.uniform(0.75, 1), random.uniform(0.75, 1))
    foot = random.uniform(0.1, 0.28)
    sprite.shape([(-0.5, 0.25), (-0.62, 0.4 + foot), (-0.3, 0.38 + foot), (-0.32, 0.25)], orange)
    sprite.shape([(-0.1, 0.28), (-0.2, 0.45 + foot), (0.1, 0.42 + foot), (0.06, 0.28)], orange)
    sprite.shape([(-0.7, -0.1), (-1, 0.02), (-0.7, 0.12)], dark)
    sprite.shape(spindle(1.5, thick, thick, 0.5, 0.7, start=-0.85), dark)
    sprite.shape(spindle(1.25, 0.0, thick * 0.94, 0.5, 0.7, start=-0.65) + [0, 0.04], (236, 236, 230), is_body=False)
    sprite.shape([(x * 0.3 + 0.5, y * 0.28 - 0.22) for x, y in circle(24)], dark)
    sprite.shape([(x * 0.21 + 0.58, y * 0.19 - 0.2) for x, y in circle(24)], (228, 228, 224), is_body=False)
    sprite.shape([(0.74, -0.36), (1.0, -0.18), (0.95, -0.1), (0.74, -0.06)], orange)
    sprite.line([(0.8, -0.34), (0.82, -0.08)], (90, 100, 120), 0.04)
    sprite.dot(0.58, -0.26, 0.035, (20, 20, 24))
    sprite.shape([(0.15, -0.12), (-0.65, -0.02), (-0.5, 0.16), (0.1, 0.14)], dark * 1.3 + 6, is_body=False)
    sprite.mottle(0.15)


def shark(sprite: Sprite):
    random = sprite.random
    tone = colour(random.uniform(0.5, 0.65), random.uniform(0.02, 0.35), random.uniform(0.2, 0.6))
    slim = random.uniform(0.13, 0.2)
    if random.random() < 0.65:  # From the side.
        lift = random.uniform(0.28, 0.42)
        sprite.shape([(-0.72, -0.04), (-1, -lift), (-0.86, -0.02), (-0.97, lift * 0.55), (-0.72, 0.05)], tone)
        sprite.shape([(-0.05, -slim * 0.85), (0.0, -slim - random.uniform(0.14, 0.24)), (0.24, -slim * 0.9)], tone * 0.92)
        sprite.shape([(-0.5, -slim * 0.5), (-0.52, -slim - 0.02), (-0.4, -slim * 0.6)], tone * 0.92)
        sprite.shape(spindle(1.8, slim, slim * 0.9, 0.6, 0.8, start=-0.8), tone)
        sprite.shape(spindle(1.55, 0.0, slim * 0.78, 0.6, 0.8, start=-0.6), tone * 0.3 + np.array([225, 228, 228]) * 0.7, 210, is_body=False)
        sprite.shape([(0.36, slim * 0.45), (0.02, slim + random.uniform(0.12, 0.28)), (0.14, slim * 0.5)], tone * 0.85)
        for x in np.linspace(0.38, 0.52, 4):
            sprite.line([(x, -slim * 0.3), (x - 0.02, slim * 0.35)], tone * 0.6, 0.012)
        sprite.dot(0.76, -slim * 0.2, 0.022, (12, 12, 14))
    else:  # From above, bent as it swims.
        bend = random.uniform(-0.3, 0.3)

        def bent(points):
            points = np.array(points, dtype=float)
            points[:, 1] += bend * (points[:, 0] ** 2 - 0.3)
            return points

        sprite.shape(bent([(0.3, 0.1), (0.0, 0.42), (0.06, 0.1)]), tone * 0.9)
        sprite.shape(bent([(0.3, -0.1), (0.0, -0.42), (0.06, -0.1)]), tone * 0.9)
        sprite.shape(bent([(-0.7, 0.03), (-1, 0.1 * np.sign(bend)), (-0.95, -0.02), (-0.7, -0.03)]), tone)
        sprite.shape(bent(spindle(1.9, slim, slim, 0.65, 0.8, start=-0.9)), tone)
        sprite.line(bent([(-0.1, 0), (0.15, 0)]), tone * 0.65, 0.05)
    sprite.mottle(0.14)


def starfish(sprite: Sprite):
    random = sprite.random
    tone = colour(random.choice([0.03, 0.07, 0.1, 0.6, 0.85]) + random.uniform(-0.02, 0.02), random.uniform(0.2, 0.85), random.uniform(0.5, 0.95))
    plump = random.uniform(0.28, 0.45)
    angles = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    arms = np.abs(np.cos(angles * 2.5)) ** random.uniform(1.6, 3.0)
    reach = np.repeat(random.uniform(0.8, 1.0, 5), 40)
    reach = np.roll(reach, 20)
    smooth = np.convolve(np.concatenate([reach[-10:], reach, reach[:10]]), np.ones(21) / 21, "valid")
    radius = plump + (smooth - plump) * arms
    squeeze = random.uniform(0.55, 1.0)
    outline = np.stack([np.cos(angles) * radius, np.sin(angles) * radius * squeeze], 1)
    sprite.shape(outline, tone)
    for arm in range(5):
        angle = arm * 2 * np.pi / 5
        for share in np.linspace(0.1, 0.8, 9):
            sprite.dot(np.cos(angle) * share, np.sin(angle) * share * squeeze, 0.03, tone * 0.6 + 95, 190)
    sprite.mottle(0.25, 0.2)


def stingray(sprite: Sprite):
    random = sprite.random
    is_below = random.random() < 0.25
    tone = np.array([225, 222, 214.0]) if is_below else colour(random.uniform(0.06, 0.6), random.uniform(0.05, 0.4), random.uniform(0.2, 0.55))
    wide = random.uniform(0.7, 1.0)
    steps = np.linspace(0, 1, 14)
    wave = random.uniform(-0.5, 0.5)
    sprite.line(np.stack([-0.65 - steps * 0.75, np.sin(steps * 2.5) * wave * 0.3], 1), tone * 0.75, 0.045)
    # One wing from snout to tail; the other mirrors it.
    t = np.linspace(0, 1, 24)
    x = 0.75 - 1.5 * t
    y = wide * np.sin(np.pi * t ** random.uniform(0.8, 1.0)) ** random.uniform(1.1, 1.6)
    x = x + 0.12 * np.sin(np.pi * t)
    lift = random.uniform(0.75, 1.0)
    sprite.shape(np.concatenate([np.stack([x, -y * lift], 1), np.stack([x, y], 1)[::-1]]), tone)
    sprite.shape([(x * 0.62 + 0.05, y * 0.24) for x, y in circle(24)], tone * 1.15, 130, is_body=False)
    if is_below:
        sprite.line([(0.36, -0.12), (0.33, 0), (0.36, 0.12)], (120, 90, 90), 0.03)
        for side in (-1, 1):
            for step in range(4):
                sprite.line([(0.2 - step * 0.06, side * 0.14), (0.19 - step * 0.06, side * 0.22)], (150, 125, 120), 0.018)
    else:
        for side in (-1, 1):
            sprite.dot(0.42, side * 0.13, 0.04, (20, 20, 20))
        if random.random() < 0.4:
            for _ in range(30):
                sprite.dot(random.uniform(-0.4, 0.5), random.uniform(-0.35, 0.35), 0.025, tone * 1.7, 180)
    sprite.mottle(0.2, 0.15)


def circle(points: int) -> np.ndarray:
    """Points around the unit circle."""
    angles = np.linspace(0, 2 * np.pi, points, endpoint=False)
    return np.stack([np.cos(angles), np.sin(angles)], 1)


# In the order of the classes: how it is drawn, how far it may turn (in degrees), how long it is (in parts of the scene's
# height, smallest and largest), and whether it lies on the ground.
ANIMALS: tuple[tuple[Callable[[Sprite], None], float, tuple[float, float], bool], ...] = (
    (fish, 35, (0.06, 0.4), False),
    (jellyfish, 40, (0.1, 0.45), False),
    (penguin, 60, (0.14, 0.6), False),
    (puffin, 30, (0.1, 0.4), False),
    (shark, 45, (0.2, 0.8), False),
    (starfish, 180, (0.1, 0.4), True),
    (stingray, 180, (0.15, 0.6), False),
)


def draw(kind: int, pixels: float, random: np.random.Generator) -> tuple[Image.Image, Image.Image]:
    """An animal about this long, turned and perhaps mirrored: its picture with transparency, and its body's mask."""
    paint_animal, turn, _, _ = ANIMALS[kind]
    sprite = Sprite(round(pixels), random)
    paint_animal(sprite)
    images = [sprite.paint, sprite.body]
    if random.random() < 0.5:
        images = [image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for image in images]
    angle = random.uniform(-turn, turn)
    images = [image.rotate(angle, Image.Resampling.BILINEAR) for image in images]
    side = max(8, round(sprite.side / OVERSAMPLING))
    return tuple(image.resize((side, side), Image.Resampling.BOX) for image in images)
