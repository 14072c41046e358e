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
STARFISH = [(7, 27, (255, 0, 0)), (20, 28, (206, 90, 90)), (31, 27, (184, 104, 104))]
KELP_TIPS = [(3, 14, (0, 255, 0)), (10, 18, (66, 186, 66)), (29, 17, (80, 164, 80)), (36, 12, (72, 178, 72))]
FISH = [(13, 7, (0, 0, 255)), (20, 10, (76, 76, 200)), (27, 5, (88, 88, 188)), (24, 14, (92, 92, 156))]


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
    return round(25 + 1.3 * math.sin(column * 0.24 + 0.4))


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
        for row in range(tip + 1, ground(column)):
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
