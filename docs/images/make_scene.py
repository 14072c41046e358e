#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Nereid: a vision model server.
"""Draws docs/images/scene.png, a picture for a first look at the server with Tests/Fixtures/blocks-v8.onnx.

    python3 docs/images/make_scene.py

An underwater scene of 40 x 30 cells of 16 x 16 pixels. The fixture scores each cell by how far its red, green or blue
stands out above the other two (see Tests/Fixtures/make_fixtures.py), so the scenery is mixed from pairs of equal
channels, which score nothing, and what is to be found is a cell of red, green or blue. Needs Python alone.
"""

import math
import pathlib
import struct
import zlib

CELL = 16
COLUMNS, ROWS = 40, 30

# Column, row, colour. The less pure the colour, the lower the score.
STARFISH = [(6, 26, (255, 0, 0)), (19, 28, (222, 36, 36)), (34, 27, (190, 70, 70))]
KELP_TIPS = [(3, 14, (0, 255, 0)), (9, 18, (30, 210, 30)), (30, 16, (50, 190, 50)), (36, 12, (84, 176, 84))]
FISH = [(14, 6, (0, 0, 255)), (20, 9, (24, 24, 230)), (26, 5, (60, 60, 214)), (24, 13, (84, 84, 184))]


def water(column, row):
    """Green equals blue; lighter towards the surface and within two slanting rays."""
    depth = row / ROWS
    light = 196 - 132 * depth
    for start in (10, 27):
        distance = abs(column - start - 0.35 * row)
        light += 16 * max(0, 1 - distance / 4) * (1 - depth)
    light += 3 * math.sin(column * 1.7) * math.sin(row * 2.3 + column * 0.6)
    return light * 0.42, light, light


def sand(column, row):
    """Red equals green."""
    light = 150 + 8 * math.sin(column * 0.9 + row * 2.1) - 2 * (ROWS - row)
    return light, light, light * 0.68


def ground(column):
    """The sand's first row."""
    return round(24 + 1.2 * math.sin(column * 0.32) + 0.8 * math.sin(column * 0.13 + 2))


def stem(column, row):
    """Dark, red equal to green."""
    return 74 + 8 * (row % 2), 74 + 8 * (row % 2), 46


def cells():
    """The colour of every cell, row by row."""
    grid = [
        [sand(column, row) if row >= ground(column) else water(column, row) for column in range(COLUMNS)]
        for row in range(ROWS)
    ]
    for column, tip, colour in KELP_TIPS:
        for row in range(tip + 1, ground(column) + 1):
            sway = column + (1 if (row + column) % 5 == 0 else 0)
            grid[row][sway] = grid[row][column] = stem(column, row)
        grid[tip][column] = colour
    for column, row, colour in FISH:
        grid[row][column] = colour
        # The tail: greyish, so that it scores nothing.
        for tail in (-1, 0, 1):
            grid[row + tail][column + (1 if tail == 0 else 2)] = (166, 172, 172)
        grid[row][column - 1] = (212, 212, 206)
    for column, row, colour in STARFISH:
        grid[row][column] = colour
        for side, lift in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            if row + lift < ROWS:
                grid[row + lift][column + side] = (176, 130, 176)
    return grid


def png(grid):
    """An 8-bit RGB PNG (W3C PNG, third edition) of the cells."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    lines = []
    for row in grid:
        line = b"".join(bytes(max(0, min(255, round(value))) for value in colour) * CELL for colour in row)
        lines += [b"\0" + line] * CELL
    header = struct.pack(">IIBBBBB", COLUMNS * CELL, ROWS * CELL, 8, 2, 0, 0, 0)
    content = zlib.compress(b"".join(lines), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", content) + chunk(b"IEND", b"")


if __name__ == "__main__":
    pathlib.Path(__file__).with_name("scene.png").write_bytes(png(cells()))
