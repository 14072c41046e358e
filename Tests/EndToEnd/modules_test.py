# SPDX-License-Identifier: Apache-2.0
# Nereid: a vision model server.
"""Runs modules of the page, in a real browser, on zips and answers that are made for them.

    python modules_test.py BASE_URL

Prints a line per check; exits with 1 at the first one that fails. Needs what page_test.py needs.
"""

import argparse
import base64
import io
import json
import struct
import sys
import tempfile
import traceback
import zipfile
import zlib

from page_test import Page, passed

OPEN_ZIP = """
    const [bytes, done] = arguments;
    (async () => {
        const { filesIn } = await import('/web/archive.js');
        const archive = new Blob([Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0))]);
        const files = {};
        for (const file of await filesIn(archive)) {
            files[file.name] = await file.open().then((blob) => blob.text(), (problem) => `! ${problem.message}`);
        }
        return files;
    })().then(done, (problem) => done(`! ${problem.message}`));
"""

WRITE_COCO = """
    const [classes, answers, done] = arguments;
    (async () => {
        const { CocoWriter } = await import('/web/coco.js');
        const writer = new CocoWriter(classes);
        for (const [name, answer] of answers) writer.add(name, answer);
        return writer.finish().text();
    })().then(done, (problem) => done(String(problem)));
"""


def opened(page, content):
    return page.driver.execute_async_script(OPEN_ZIP, base64.b64encode(content).decode("ascii"))


def zipped(files, method=zipfile.ZIP_DEFLATED, comment=b""):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        archive.comment = comment
    return buffer.getvalue()


def wide_zip(name, content):
    """A zip whose numbers all stand in the fields for 64 bits (APPNOTE.TXT 4.3.14, 4.3.15, 4.5.3)."""
    checksum = zlib.crc32(content)
    size = len(content)
    local = struct.pack("<IHHHHHIIIHH", 0x04034B50, 45, 0, 0, 0, 0, checksum, 2**32 - 1, 2**32 - 1, len(name), 20)
    local += name + struct.pack("<HHQQ", 1, 16, size, size) + content
    extra = struct.pack("<HHQQQ", 1, 24, size, size, 0)
    central = struct.pack(
        "<IHHHHHHIIIHHHHHII",
        *(0x02014B50, 45, 45, 0, 0, 0, 0, checksum, 2**32 - 1, 2**32 - 1),
        *(len(name), len(extra), 0, 0, 0, 0, 2**32 - 1),
    )
    central += name + extra
    end = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, 1, 1, len(central), len(local))
    locator = struct.pack("<IIQI", 0x07064B50, 0, len(local) + len(central), 1)
    last = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 2**16 - 1, 2**16 - 1, 2**32 - 1, 2**32 - 1, 0)
    return local + central + end + locator + last


def check_whole_zips(page):
    files = {"a.txt": "one", "below/ä.txt": "two" * 1000, "empty.txt": ""}
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        assert opened(page, zipped({**files, "below/folder/": ""}, method)) == files
    # A comment may hold what looks like the record that it belongs to.
    false_end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 9, 9, 9, 9, 0)
    assert opened(page, zipped(files, comment=b"by hand " + false_end + b" and more")) == files
    assert opened(page, wide_zip(b"wide.txt", b"far away")) == {"wide.txt": "far away"}
    assert opened(page, zipped({})) == {}
    passed("zips are opened: stored, deflated, with comments, with numbers of 64 bits")


def check_broken_zips(page):
    whole = zipped({"a.txt": "one" * 1000, "b.txt": "two"})
    assert opened(page, b"not a zip").startswith("! This is no zip"), opened(page, b"not a zip")
    assert opened(page, whole[:-10]).startswith("! This is no zip")
    assert opened(page, whole[40:]).startswith("! The zip is cut short"), opened(page, whole[40:])
    assert opened(page, b"").startswith("! This is no zip")
    huge = bytearray(whole)
    end = whole.rindex(b"PK\x05\x06")
    huge[end + 12 : end + 16] = struct.pack("<I", 2**30)
    assert "more files than can be read" in opened(page, bytes(huge))
    torn = bytearray(whole)
    torn[whole.rindex(b"PK\x01\x02")] = 0
    assert "table of contents is damaged" in opened(page, bytes(torn))
    passed("zips that are none or cut short are refused in words")


def check_broken_files(page):
    def changed(place, value, text="one" * 1000):
        """A zip of one file with a change in its entry in the table of contents."""
        content = bytearray(zipped({"a.txt": text}))
        entry = bytes(content).rindex(b"PK\x01\x02")
        content[entry + place : entry + place + len(value)] = value
        return opened(page, bytes(content))["a.txt"]

    assert "encrypted" in changed(8, struct.pack("<H", 1))
    assert "method" in changed(10, struct.pack("<H", 12))
    assert "too large" in changed(24, struct.pack("<I", 2**31))
    assert "not as long as the zip says" in changed(24, struct.pack("<I", 2999))
    assert "not as long as the zip says" in changed(24, struct.pack("<I", 3001))
    assert "ends before" in changed(20, struct.pack("<I", 2**20))
    assert "damaged" in changed(42, struct.pack("<I", 3))
    assert changed(42, struct.pack("<I", 2**31)) == "! The zip is cut short."
    content = bytearray(zipped({"a.txt": "one" * 1000}))
    content[36:44] = b"\xff" * 8
    assert "damaged" in opened(page, bytes(content))["a.txt"]
    passed("files in zips that can't be read say why")


def check_coco(page):
    box = {"label": "fish", "class_id": 0, "score": 0.9, "box": [10, 20, 30, 60]}
    answers = {
        "a/boxes.png": {
            "image": {"width": 640, "height": 480},
            "detections": [box, {**box, "class_id": 1, "label": "ray"}],
        },
        "masks.png": {
            "image": {"width": 64, "height": 48},
            "detections": [{**box, "polygons": [[10, 20, 30, 20, 30, 60], [1, 2, 3, 4]], "mask": {}}],
        },
        "points.png": {
            "image": {"width": 64, "height": 48},
            "detections": [{**box, "keypoints": [[11, 21, 0.9], [12, 22, 0.1], [13, 23]]}],
        },
        "turned.png": {
            "image": {"width": 64, "height": 48},
            "detections": [{**box, "rotated_box": {"corners": [[20, 20], [30, 40], [20, 60], [10, 40]]}}],
        },
        "class.png": {
            "image": {"width": 64, "height": 48},
            "detections": [],
            "classifications": [{"label": "rain", "class_id": 2, "score": 0.5}],
        },
    }
    written = json.loads(page.driver.execute_async_script(WRITE_COCO, ["fish", "ray"], list(answers.items())))
    assert [image["file_name"] for image in written["images"]] == list(answers)
    assert written["images"][0] == {"id": 1, "file_name": "a/boxes.png", "width": 640, "height": 480}
    assert written["categories"] == [{"id": 1, "name": "fish"}, {"id": 2, "name": "ray"}, {"id": 3, "name": "rain"}]
    plain = {"bbox": [10, 20, 20, 40], "iscrowd": 0, "score": 0.9}
    first, second, mask, points, turned, whole = written["annotations"]
    assert first == {"id": 1, "image_id": 1, "category_id": 1, "area": 800, **plain}, first
    assert second == {"id": 2, "image_id": 1, "category_id": 2, "area": 800, **plain}, second
    assert mask["segmentation"] == [[10, 20, 30, 20, 30, 60]] and mask["area"] == 400, mask
    assert points["keypoints"] == [11, 21, 2, 0, 0, 0, 13, 23, 2] and points["num_keypoints"] == 2, points
    assert turned["segmentation"] == [[20, 20, 30, 40, 20, 60, 10, 40]] and turned["area"] == 400, turned
    assert whole == {"id": 6, "image_id": 5, "category_id": 3, "score": 0.5}, whole
    passed("COCO files hold boxes, outlines, points, turned boxes and classes")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("base_url", metavar="BASE_URL")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as downloads:
        page = Page(arguments.base_url, downloads)
        try:
            page.driver.get(arguments.base_url)
            check_whole_zips(page)
            check_broken_zips(page)
            check_broken_files(page)
            check_coco(page)
        except AssertionError as failure:
            traceback.print_exc()
            sys.exit(f"FAIL  {failure}")
        finally:
            page.driver.quit()


if __name__ == "__main__":
    main()
