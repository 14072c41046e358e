# SPDX-License-Identifier: Apache-2.0
# Nereid: a vision model server.
"""A worker as the older server had them; docs/migration.md describes the format. Usage: legacy_worker.py PORT LIST MODE

MODE is what becomes of a picture: `pixels` names the blue, green and red of each pixel as it came, `nothing` sees nothing,
`die` ends the worker when it has taken the picture.
"""
import base64
import json
import os
import sys
import time

import numpy
import redis

port, name, mode = sys.argv[1:]
db = redis.Redis(port=int(port))
while True:
    taken = db.lrange(name, 0, 3)
    db.ltrim(name, len(taken), -1)
    if taken and mode == "die":
        os._exit(1)
    for entry in map(json.loads, taken):
        pixels = numpy.frombuffer(base64.b64decode(entry["image"], validate=True), dtype="float32")
        pixels = pixels.reshape(1, entry["height"], entry["width"], 3)[0]
        seen = []
        if mode == "pixels":
            for y, row in enumerate(pixels.tolist()):
                for x, pixel in enumerate(row):
                    label = " ".join(str(value) for value in pixel)
                    seen.append({"category_id": label, "scores": [0.5], "bbox": [x, y, x + 1, y + 1]})
        db.set(entry["id"], json.dumps(seen))
    if not taken:
        time.sleep(0.005)
