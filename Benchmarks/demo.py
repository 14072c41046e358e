# SPDX-License-Identifier: Apache-2.0
# Nereid: a vision model server.
"""Average precision of a model on labelled photographs: `nereid predict` answers, pycocotools counts.

The whole pipeline is measured, decoding and letterbox included, not the training framework. Prints Markdown.
"""

import argparse
import contextlib
import io
import json
import subprocess
from pathlib import Path

import numpy as np
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

# Everything that could raise the precision is asked for: COCO counts up to 100 detections in a picture, however sure.
LEAST_SCORE, OVERLAP, MOST = "0.001", "0.6", "100"


def ground_truth(folder: Path, names: list[str]) -> dict:
    """The labels of a folder with `images/` and `labels/` in COCO's format."""
    images, annotations = [], []
    for file in sorted((folder / "images").glob("*.jpg")):
        with Image.open(file) as picture:
            width, height = picture.size
        images.append({"id": len(images), "file_name": file.name, "width": width, "height": height})
        for line in (folder / "labels" / f"{file.stem}.txt").read_text().splitlines():
            kind, x, y, w, h = (float(value) for value in line.split())
            box = [(x - w / 2) * width, (y - h / 2) * height, w * width, h * height]
            annotations.append(
                {"id": len(annotations) + 1, "image_id": images[-1]["id"], "category_id": int(kind), "bbox": box,
                 "area": box[2] * box[3], "iscrowd": 0}
            )
    categories = [{"id": number, "name": name} for number, name in enumerate(names)]
    return {"info": {}, "images": images, "annotations": annotations, "categories": categories}


def predictions(binary: str, model: str, folder: Path, images: list[dict]) -> list[dict]:
    """What `nereid predict` finds in the pictures of a folder, in COCO's format."""
    command = [
        binary, "predict", model, str(folder / "images"), "--confidence", LEAST_SCORE, "--iou", OVERLAP,
        "--max-detections", MOST,
    ]
    answers = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    numbers = {image["file_name"]: image["id"] for image in images}
    found = []
    for answer in answers:
        for detection in answer["detections"]:
            x1, y1, x2, y2 = detection["box"]
            found.append(
                {"image_id": numbers[Path(answer["file"]).name], "category_id": detection["class_id"],
                 "bbox": [x1, y1, x2 - x1, y2 - y1], "score": detection["score"]}
            )
    return found


def class_names(dataset: Path) -> list[str]:
    """The names on the line `names: [...]` of the data set's description."""
    line = next(line for line in (dataset / "data.yaml").read_text().splitlines() if line.startswith("names:"))
    return [part.strip(" '\"") for part in line.removeprefix("names:").strip().strip("[]").split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default=".build/release/nereid")
    parser.add_argument("--split", default="valid")
    parser.add_argument("dataset", type=Path)
    parser.add_argument("model", nargs="?", default="demo")
    arguments = parser.parse_args()
    names = class_names(arguments.dataset)
    folder = arguments.dataset / arguments.split
    truth = ground_truth(folder, names)
    found = predictions(arguments.binary, arguments.model, folder, truth["images"])

    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = truth
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(found), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    # [thresholds of IoU, recalls, classes, areas, numbers of detections]; -1 where there is nothing to be found.
    precision = evaluation.eval["precision"][:, :, :, 0, -1]
    counts = np.bincount([a["category_id"] for a in truth["annotations"]], minlength=len(names))

    def mean(values):
        valid = values[values > -1]
        return f"{valid.mean():.3f}" if valid.size else "–"

    print(f"{arguments.model} on {len(truth['images'])} pictures of {arguments.split}, {counts.sum()} objects")
    print()
    print("| class | objects | AP50 | AP50-95 |")
    print("|---|---:|---:|---:|")
    for number, name in enumerate(names):
        print(f"| {name} | {counts[number]} | {mean(precision[0, :, number])} | {mean(precision[:, :, number])} |")
    print(f"| **all** | {counts.sum()} | **{mean(precision[0])}** | **{mean(precision)}** |")


if __name__ == "__main__":
    main()
