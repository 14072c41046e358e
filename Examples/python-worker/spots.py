# SPDX-License-Identifier: Apache-2.0
# Nereid: a vision model server.
"""A model that needs no weights: it finds bright spots."""

LABELS = ["spot"]


def detect(picture, confidence=0.8, max_detections=300, classes=None, **_):
    """Regions of at least 16 pixels that are joined by their sides and have a brightness of 200 or more, best first.

    The score is a region's mean brightness over 255, the box is left, top, right, bottom. Options that the model does not
    know are left aside.
    """
    width = picture.width
    brightness = picture.convert("L").tobytes()
    bright = bytearray(value >= 200 for value in brightness)
    found = []
    while (first := bright.find(1)) >= 0:
        bright[first] = 0
        region = [first]
        for place in region:  # which grows meanwhile
            column = place % width
            left, right = (place - 1 if column else -1), (place + 1 if column + 1 < width else -1)
            for neighbour in (place - width, place + width, left, right):
                if 0 <= neighbour < len(bright) and bright[neighbour]:
                    bright[neighbour] = 0
                    region.append(neighbour)
        score = sum(brightness[place] for place in region) / len(region) / 255
        if len(region) >= 16 and score >= confidence and (classes is None or 0 in classes):
            columns = [place % width for place in region]
            box = [min(columns), region[0] // width, max(columns) + 1, max(region) // width + 1]
            found.append({"class_id": 0, "label": LABELS[0], "score": score, "box": box})
    return sorted(found, key=lambda detection: -detection["score"])[:max_detections]
