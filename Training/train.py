#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Nereid: a vision model server.
"""Trains the demonstration detector on photographs and generated scenes.

    python train.py DATASET RUN            begin, or go on from the last epoch of the folder RUN
    python train.py DATASET RUN --help     what can be changed

DATASET holds train/ and valid/ with images/ and labels/, and data.yaml. RUN gets last.pt (everything that is needed to go
on), weights.pt (the averaged weights) and log.csv.
"""

import argparse
import copy
import csv
import math
import os
import time
from pathlib import Path

# A thread that waits by spinning takes the processor from the one that prepares the next batch.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from detector.evaluation import mean_average_precision
from detector.loss import detection_loss
from detector.network import Detector
from pictures.augmentation import mosaic, single, tint
from pictures.labelled import class_names, read
from scenes.scene import generate

PURE_SCENES = 0.04  # of all epochs: only generated scenes, before the first photograph
CALM = 0.15  # of all epochs at the end: whole pictures, as they will be served, instead of mosaics
MOSAICS = 0.75


class Canvases(Dataset):
    """An epoch of training pictures; the same seed and epoch give the same ones."""

    def __init__(self, photographs, scenes, arguments):
        self.photographs, self.scenes, self.arguments = photographs, scenes, arguments
        counts = np.bincount(np.concatenate([p.classes for p in photographs]), minlength=1).astype(float)
        # A picture is drawn more often the rarer its rarest class is.
        rarity = [max((1 / np.sqrt(counts[c]) for c in set(p.classes.tolist())), default=0.02) for p in photographs]
        self.chances = np.asarray(rarity) / sum(rarity)

    def __len__(self):
        return self.arguments.iterations * self.arguments.batch

    def __getitem__(self, key):
        # The epoch travels with the index, since the processes that prepare pictures outlive an epoch.
        epoch, index = key
        arguments = self.arguments
        random = np.random.default_rng((arguments.seed, epoch, index))
        progress = epoch / arguments.epochs
        share = 1.0 if progress < PURE_SCENES and arguments.scene_share > 0 else arguments.scene_share

        def draw():
            if random.random() < share:
                return self.scenes[random.integers(len(self.scenes))]
            return self.photographs[random.choice(len(self.photographs), p=self.chances)]

        is_calm = progress >= 1 - CALM
        make = mosaic if not is_calm and random.random() < MOSAICS else single
        size = arguments.calm_size if is_calm else arguments.size
        canvas, boxes, classes = make(draw, size, random)
        pixels = tint(np.asarray(canvas), random) if random.random() < (0.4 if is_calm else 0.8) else np.asarray(canvas)
        return torch.from_numpy(pixels.copy()), torch.from_numpy(boxes).float(), torch.from_numpy(classes)


class EpochSampler:
    """Gives every index together with the epoch it belongs to."""

    def __init__(self, length):
        self.length, self.epoch = length, 0

    def __iter__(self):
        return ((self.epoch, index) for index in range(self.length))

    def __len__(self):
        return self.length


def collate(samples):
    """Stacks pictures, and pads their objects to the same number."""
    pictures = torch.stack([pixels for pixels, _, _ in samples]).permute(0, 3, 1, 2)
    most = max(1, max(len(classes) for _, _, classes in samples))
    boxes, classes = torch.zeros(len(samples), most, 4), torch.zeros(len(samples), most, dtype=torch.long)
    present = torch.zeros(len(samples), most, dtype=torch.bool)
    for row, (_, some, kinds) in enumerate(samples):
        boxes[row, : len(kinds)], classes[row, : len(kinds)], present[row, : len(kinds)] = some, kinds, True
    return pictures, boxes, classes, present


class Average:
    """A running average of the weights, which generalises better than the last ones."""

    def __init__(self, network, decay):
        self.network, self.decay, self.steps = copy.deepcopy(network).eval(), decay, 0

    @torch.no_grad()
    def update(self, network):
        self.steps += 1
        decay = self.decay * (1 - math.exp(-self.steps / 500))
        for mine, theirs in zip(self.network.state_dict().values(), network.state_dict().values()):
            if mine.is_floating_point():
                mine.mul_(decay).add_(theirs, alpha=1 - decay)
            else:
                mine.copy_(theirs)


def optimiser(network, arguments):
    """AdamW; weights of convolutions decay, biases and normalisation do not."""
    heavy = [p for p in network.parameters() if p.dim() > 1]
    light = [p for p in network.parameters() if p.dim() <= 1]
    groups = [{"params": heavy, "weight_decay": arguments.decay}, {"params": light, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=arguments.rate)


def rate(progress, warm, top):
    """The learning rate at a part (0 to 1) of the training: up in a line, then down along a cosine to a hundredth."""
    if progress < warm:
        return top * (progress / warm)
    return top * (0.01 + 0.99 * (1 + math.cos(math.pi * (progress - warm) / (1 - warm))) / 2)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--epochs", type=int, default=140)
    parser.add_argument("--iterations", type=int, default=32, help="batches in an epoch")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--size", type=int, default=256, help="side of the training pictures")
    parser.add_argument("--calm-size", type=int, default=320, help="the same for the whole pictures at the end")
    parser.add_argument("--rate", type=float, default=2e-3, help="highest learning rate")
    parser.add_argument("--decay", type=float, default=0.05, help="weight decay")
    parser.add_argument("--scenes", type=int, default=600, help="generated scenes")
    parser.add_argument("--scene-share", type=float, default=0.2, help="part of the pictures that are generated")
    parser.add_argument("--seed", type=int, default=20261125)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--evaluate", type=int, default=10, help="epochs between two looks at the validation pictures")
    parser.add_argument("--stop", type=int, default=None, help="stop after this epoch; a later run goes on")
    arguments = parser.parse_args()

    torch.manual_seed(arguments.seed)
    torch.set_num_threads(arguments.threads)
    arguments.run.mkdir(parents=True, exist_ok=True)
    names = class_names(arguments.dataset)
    photographs, validation = read(arguments.dataset / "train"), read(arguments.dataset / "valid")
    count = arguments.scenes if arguments.scene_share > 0 else 0
    scenes = [generate(arguments.seed + i) for i in tqdm(range(count), desc="drawing scenes", leave=False)]

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = Detector(len(names)).to(device, memory_format=torch.channels_last)
    average = Average(network, 0.998)
    descent = optimiser(network, arguments)
    begin = 0
    last = arguments.run / "last.pt"
    if last.exists():
        state = torch.load(last, map_location=device, weights_only=True)
        network.load_state_dict(state["network"])
        average.network.load_state_dict(state["average"])
        average.steps = state["steps"]
        descent.load_state_dict(state["descent"])
        begin = state["epoch"] + 1
        print(f"going on from epoch {begin}")

    canvases = Canvases(photographs, scenes, arguments)
    sampler = EpochSampler(len(canvases))
    loader = DataLoader(
        canvases, arguments.batch, sampler=sampler, collate_fn=collate, num_workers=1, prefetch_factor=8,
        persistent_workers=True,
    )
    for epoch in range(begin, min(arguments.epochs, (arguments.stop or arguments.epochs - 1) + 1)):
        sampler.epoch = epoch
        network.train()
        sums, started = np.zeros(3), time.monotonic()
        steps = tqdm(loader, desc=f"epoch {epoch}", leave=False)
        for step, (pictures, boxes, classes, present) in enumerate(steps):
            progress = (epoch + step / len(loader)) / arguments.epochs
            for group in descent.param_groups:
                group["lr"] = rate(progress, 0.02, arguments.rate)
            inputs = pictures.to(device).float().div_(255).contiguous(memory_format=torch.channels_last)
            loss, parts = detection_loss(
                network(inputs), len(names), boxes.to(device), classes.to(device), present.to(device), inputs.shape[-1]
            )
            descent.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
            descent.step()
            average.update(network)
            sums += parts
            steps.set_postfix(box=f"{sums[0] / (step + 1):.3f}", score=f"{sums[1] / (step + 1):.3f}")

        entry = {"epoch": epoch, "seconds": round(time.monotonic() - started, 1), "rate": round(group["lr"], 6)}
        entry |= dict(zip(("box", "score", "side"), (sums / len(loader)).round(4).tolist()))
        if (epoch + 1) % arguments.evaluate == 0 or epoch + 1 == arguments.epochs:
            found = mean_average_precision(average.network, validation, len(names), 320)
            entry |= {"mAP50": round(found.at_half, 4), "mAP50-95": round(found.mean, 4)}
        print(entry, flush=True)
        fields = ["epoch", "seconds", "rate", "box", "score", "side", "mAP50", "mAP50-95"]
        log = arguments.run / "log.csv"
        is_new = not log.exists()
        with log.open("a", newline="") as file:
            writer = csv.DictWriter(file, fields)
            if is_new:
                writer.writeheader()
            writer.writerow(entry)
        state = {
            "epoch": epoch,
            "network": network.state_dict(),
            "average": average.network.state_dict(),
            "steps": average.steps,
            "descent": descent.state_dict(),
        }
        # Written beside and renamed: an interruption never leaves half a file.
        torch.save(state, last.with_suffix(".new"))
        last.with_suffix(".new").replace(last)
        torch.save({"names": names, "weights": average.network.state_dict()}, arguments.run / "weights.pt")


if __name__ == "__main__":
    main()
