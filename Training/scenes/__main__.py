# SPDX-License-Identifier: Apache-2.0
# Nereid: a vision model server.
"""Draws the samples of the page, or checks that they can be drawn again.

    python -m scenes ../Web/samples            write them, with what is in them in samples.json
    python -m scenes ../Web/samples --check    compare: pixels within JPEG's own error, boxes to the last digit
    python -m scenes FOLDER --seed 7 --count 9 other scenes, as NAME.jpg with NAME.txt (YOLO labels)
"""

import argparse
import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

from . import NAMES
from .scene import generate

WIDTH, HEIGHT = 640, 480
# JPEG is undone by other decoders with a difference of a grey level or two; a shape in another place differs by far more.
MOST_DIFFERENCE = 0.5  # mean grey levels

# Name, seed, and the animals that swim in it.
SAMPLES = (
    ("reef", 30, (0, 0, 0, 0, 0, 5, 5, 6)),
    ("jellyfish", 108, (1, 1, 1, 1, 1, 1)),
    ("birds", 207, (2, 2, 2, 3, 3, 3)),
    ("sharks", 308, (4, 4, 4, 6, 6, 0, 0)),
)


def sample(seed: int, kinds) -> tuple[bytes, dict]:
    """A sample's file, and its description."""
    scene = generate(seed, WIDTH, HEIGHT, list(kinds))
    file = io.BytesIO()
    scene.picture.save(file, "JPEG", quality=88, subsampling=0)
    objects = [
        {"label": NAMES[kind], "class_id": int(kind), "box": [float(side) for side in box]}
        for box, kind in zip(scene.boxes, scene.classes)
    ]
    return file.getvalue(), {"width": WIDTH, "height": HEIGHT, "objects": objects}


def write_samples(folder: Path):
    folder.mkdir(parents=True, exist_ok=True)
    truth = {}
    for name, seed, kinds in SAMPLES:
        file, truth[f"{name}.jpg"] = sample(seed, kinds)
        (folder / f"{name}.jpg").write_bytes(file)
    (folder / "samples.json").write_text(json.dumps(truth, indent=1) + "\n")


def check_samples(folder: Path):
    truth = json.loads((folder / "samples.json").read_text())
    for name, seed, kinds in SAMPLES:
        file, description = sample(seed, kinds)
        again, _ = sample(seed, kinds)
        if file != again:
            raise SystemExit(f"{name}: drawn twice, it is not the same picture")
        if description != truth[f"{name}.jpg"]:
            raise SystemExit(f"{name}: its boxes are not those of samples.json")
        with Image.open(folder / f"{name}.jpg") as old, Image.open(io.BytesIO(file)) as new:
            difference = np.abs(np.asarray(old, dtype=np.float32) - np.asarray(new, dtype=np.float32)).mean()
        if difference > MOST_DIFFERENCE:
            raise SystemExit(f"{name}: differs from {folder / name}.jpg by {difference:.2f} grey levels on average")
        print(f"{name}: the same, mean difference {difference:.3f}")


def write_scenes(folder: Path, seed: int, count: int):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(seed, seed + count):
        scene = generate(number)
        scene.picture.save(folder / f"{scene.name}.jpg", quality=90)
        width, height = scene.picture.size
        rows = [
            f"{kind} {(x1 + x2) / 2 / width:.6f} {(y1 + y2) / 2 / height:.6f} {(x2 - x1) / width:.6f} {(y2 - y1) / height:.6f}"
            for (x1, y1, x2, y2), kind in zip(scene.boxes, scene.classes)
        ]
        (folder / f"{scene.name}.txt").write_text("\n".join(rows) + "\n")


def main():
    parser = argparse.ArgumentParser(prog="scenes", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--count", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.check:
        check_samples(arguments.folder)
    elif arguments.seed is not None:
        write_scenes(arguments.folder, arguments.seed, arguments.count)
    else:
        write_samples(arguments.folder)


if __name__ == "__main__":
    main()
