# SPDX-License-Identifier: Apache-2.0
# Nereid: a vision model server.
"""Reads a data set with YOLO text labels: `images/NAME.jpg` beside `labels/NAME.txt`."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image


@dataclass
class LabelledPicture:
    """A picture and the objects in it."""

    picture: Image.Image
    boxes: np.ndarray  # [K, 4] left, top, right, bottom in pixels
    classes: np.ndarray  # [K] numbers from 0
    name: str = ""

    def __getstate__(self):
        # Sent to another process as raw bytes: encoding again would cost more than training on it.
        return (self.picture.tobytes(), self.picture.size, self.boxes, self.classes, self.name)

    def __setstate__(self, state):
        pixels, size, self.boxes, self.classes, self.name = state
        self.picture = Image.frombytes("RGB", size, pixels)


def class_names(folder: Path) -> list[str]:
    """The names in the data set's `data.yaml`: `names: ['fish', …]` on one line, or a list of `- name` lines."""
    lines = (folder / "data.yaml").read_text().splitlines()
    for number, line in enumerate(lines):
        if line.startswith("names:"):
            inline = line.removeprefix("names:").strip()
            if inline:
                return [part.strip(" '\"") for part in inline.strip("[]").split(",")]
            names = []
            for entry in lines[number + 1 :]:
                if not entry.lstrip().startswith("-"):
                    break
                names.append(entry.strip().removeprefix("-").strip(" '\""))
            return names
    raise SystemExit(f"{folder / 'data.yaml'} names no classes: a line ‘names: [...]’ is needed")


def read(folder: Path) -> list[LabelledPicture]:
    """All pictures of one split, sorted by name."""
    files = sorted((folder / "images").glob("*.jpg"))
    if not files:
        raise SystemExit(f"no pictures in {folder / 'images'}; give the folder that holds train/ and valid/")
    pictures = []
    for file in files:
        with Image.open(file) as opened:
            picture = opened.convert("RGB")
        label = folder / "labels" / f"{file.stem}.txt"
        rows = np.array([line.split() for line in label.read_text().splitlines() if line.strip()], dtype=np.float64)
        rows = rows.reshape(-1, 5)
        middle, size = rows[:, 1:3] * picture.size, rows[:, 3:5] * picture.size
        boxes = np.concatenate([middle - size / 2, middle + size / 2], 1).astype(np.float32)
        pictures.append(LabelledPicture(picture, boxes, rows[:, 0].astype(np.int64), file.stem))
    return pictures
