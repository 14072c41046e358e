# SPDX-License-Identifier: Apache-2.0
# Nereid: a vision model server.
"""What is behind and around the animals: water, light, sand, rocks, weeds, bubbles."""

import colorsys

import numpy as np
from PIL import Image, ImageDraw, ImageFilter


def colour(hue: float, saturation: float, value: float) -> np.ndarray:
    """Red, green and blue, 0 to 255, of a colour given as hue, saturation and value, 0 to 1."""
    return np.array(colorsys.hsv_to_rgb(hue % 1, saturation, value)) * 255


def noise(random: np.random.Generator, width: int, height: int, cells: int) -> np.ndarray:
    """Smooth noise, 0 to 1, with about `cells` bumps along the longer side, [height, width]."""
    grid = (max(2, cells * width // max(width, height)), max(2, cells * height // max(width, height)))
    coarse = Image.fromarray((random.random((grid[1], grid[0])) * 255).astype(np.uint8))
    return np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), dtype=np.float32) / 255


def caustics(random: np.random.Generator, width: int, height: int) -> np.ndarray:
    """The net of light that waves throw, 0 to 1, [height, width]: thin where two layers of noise agree."""
    first, second = noise(random, width, height, 14), noise(random, width, height, 20)
    return np.exp(-np.abs(first - second) * 14)


class Water:
    """The water of one scene, and the light in it."""

    def __init__(self, random: np.random.Generator, width: int, height: int):
        self.random, self.width, self.height = random, width, height
        hue = random.choice([0.38, 0.47, 0.53, 0.57, 0.62], p=[0.15, 0.2, 0.25, 0.25, 0.15]) + random.uniform(-0.02, 0.02)
        self.near = colour(hue - 0.02, random.uniform(0.35, 0.8), random.uniform(0.6, 0.95))
        self.deep = colour(hue + 0.03, random.uniform(0.6, 0.95), random.uniform(0.12, 0.5))
        self.brightness = random.uniform(0.75, 1.1)
        # The sea floor's upper edge, as a part of the height; above 1 there is none to be seen.
        self.floor = random.uniform(0.55, 0.9) if random.random() < 0.75 else 1.2

    def haze(self, distance: float) -> np.ndarray:
        """What is seen through this much water (0 near, 1 far) takes on this colour."""
        return self.near * (1 - distance) + self.deep * distance

    def background(self) -> np.ndarray:
        """The scene without animals, [height, width, 3] floats, 0 to 255."""
        random, width, height = self.random, self.width, self.height
        depth = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
        picture = self.near * (1 - depth) + self.deep * depth + np.zeros((1, width, 1), np.float32)
        picture = picture * (0.85 + 0.3 * noise(random, width, height, 5)[..., None])
        if random.random() < 0.6:
            picture += self.shafts()[..., None] * self.near * 0.35
        if random.random() < 0.6:
            self.rocks(picture, behind=True)
        if self.floor < 1:
            self.sand(picture)
            if random.random() < 0.6:
                self.rocks(picture, behind=False)
            if random.random() < 0.6:
                picture = self.weeds(picture)
        return picture

    def shafts(self) -> np.ndarray:
        """Light that falls in at a slant from the surface, fading with depth, [height, width]."""
        width, height = self.width, self.height
        bands = noise(self.random, width * 2, 2, 26)[0]
        slant = self.random.uniform(-0.5, 0.5)
        y, x = np.mgrid[0:height, 0:width]
        columns = (x + slant * y + width // 2).astype(int) % (width * 2)
        return np.clip(bands[columns] - 0.5, 0, 1) * (1 - y / height) * 2

    def sand(self, picture: np.ndarray):
        """A floor of sand with ripples and caustics, further away the higher it lies."""
        random, width, height = self.random, self.width, self.height
        top = int(self.floor * height)
        rows = height - top
        tone = colour(random.uniform(0.08, 0.16), random.uniform(0.1, 0.4), random.uniform(0.55, 0.95))
        if random.random() < 0.5:
            tone = tone * 0.5 + self.near * 0.5
        edge = top + (noise(random, width, 2, 6)[0] - 0.5) * height * 0.08
        y, x = np.mgrid[top - height // 20 : height, 0:width].astype(np.float32)
        below = np.clip((y - edge) / 3, 0, 1)
        near = np.clip((y - top) / max(rows, 1), 0, 1)
        ripples = np.sin(y * 40 / (8 + near * 40) + noise(random, width, y.shape[0], 8) * 9) * 0.06
        grain = random.normal(0, 0.03, y.shape).astype(np.float32)
        light = 0.75 + ripples + grain + 0.5 * caustics(random, width, y.shape[0]) * near * random.uniform(0.2, 1)
        ground = tone * light[..., None]
        far = (1 - near)[..., None] * 0.75
        ground = ground * (1 - far) + self.haze(0.6) * far
        part = picture[top - height // 20 : height]
        part[:] = part * (1 - below[..., None]) + ground * below[..., None]

    def rocks(self, picture: np.ndarray, behind: bool):
        """Rounded stones with a mottled surface; those behind are large and hazy."""
        random, width, height = self.random, self.width, self.height
        for _ in range(random.integers(2, 7)):
            radius = height * (random.uniform(0.12, 0.35) if behind else random.uniform(0.03, 0.12))
            x = random.uniform(0, width)
            y = height * (random.uniform(0.35, 1.0) if behind else random.uniform(self.floor, 1.05))
            angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
            bumps = sum(np.sin(angles * order + random.uniform(0, 6)) / order for order in (2, 3, 5, 8))
            reach = radius * (1 + 0.16 * bumps)
            shape = Image.new("L", (width, height))
            outline = np.stack([x + np.cos(angles) * reach * 1.25, y + np.sin(angles) * reach * 0.85], 1)
            ImageDraw.Draw(shape).polygon([tuple(p) for p in outline], fill=255)
            mask = np.asarray(shape.filter(ImageFilter.GaussianBlur(1.2)), dtype=np.float32)[..., None] / 255
            left, right = max(0, int(x - 2 * radius)), min(width, int(x + 2 * radius) + 1)
            upper, lower = max(0, int(y - 2 * radius)), min(height, int(y + 2 * radius) + 1)
            if right - left < 3 or lower - upper < 3:
                continue
            tone = colour(random.uniform(0.02, 0.2), random.uniform(0.05, 0.4), random.uniform(0.25, 0.65))
            rows = np.linspace(1.15, 0.55, lower - upper, dtype=np.float32)[:, None]
            surface = tone * (rows * (0.7 + 0.6 * noise(random, right - left, lower - upper, 9)))[..., None]
            veil = random.uniform(0.35, 0.75) if behind else random.uniform(0.05, 0.3)
            surface = surface * (1 - veil) + self.haze(0.5) * veil
            part, cover = picture[upper:lower, left:right], mask[upper:lower, left:right]
            part[:] = part * (1 - cover) + surface * cover

    def weeds(self, picture: np.ndarray) -> np.ndarray:
        """Blades of weed that sway from the floor."""
        random, width, height = self.random, self.width, self.height
        canvas = Image.fromarray(picture.clip(0, 255).astype(np.uint8))
        pen = ImageDraw.Draw(canvas)
        for _ in range(random.integers(1, 5)):
            foot = random.uniform(0, width)
            hue = random.uniform(0.1, 0.42)
            for _ in range(random.integers(3, 9)):
                tone = colour(hue, random.uniform(0.4, 0.8), random.uniform(0.2, 0.55)) * 0.7 + self.haze(0.5) * 0.3
                length = height * random.uniform(0.08, 0.35)
                steps = np.linspace(0, 1, 12)
                x = foot + random.uniform(-18, 18) + np.sin(steps * random.uniform(2, 5) + random.uniform(0, 6)) * 9 * steps
                y = height * random.uniform(max(self.floor, 0.7), 1.02) - steps * length
                pen.line([tuple(p) for p in np.stack([x, y], 1)], fill=tuple(tone.astype(int)), width=int(random.integers(2, 5)))
        return np.asarray(canvas, dtype=np.float32)

    def finish(self, picture: np.ndarray) -> Image.Image:
        """Drifting particles and bubbles in front of everything, the camera's noise, and the light of the scene."""
        random, width, height = self.random, self.width, self.height
        canvas = Image.fromarray((picture * self.brightness).clip(0, 255).astype(np.uint8))
        pen = ImageDraw.Draw(canvas, "RGBA")
        for _ in range(random.integers(0, 60)):
            x, y, radius = random.uniform(0, width), random.uniform(0, height), random.uniform(0.4, 1.4)
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(225, 235, 235, int(random.integers(40, 150))))
        if random.random() < 0.35:
            x = random.uniform(0, width)
            for _ in range(random.integers(4, 16)):
                bx, by, radius = x + random.normal(0, 8), random.uniform(0, height), random.uniform(1.5, 5)
                pen.ellipse((bx - radius, by - radius, bx + radius, by + radius), outline=(235, 250, 250, 150))
        grain = random.normal(0, random.uniform(0.5, 4), (height, width, 1))
        return Image.fromarray((np.asarray(canvas, dtype=np.float32) + grain).clip(0, 255).astype(np.uint8))
