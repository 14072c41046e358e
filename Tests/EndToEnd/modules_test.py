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


COMPARE_CSV = """
    const [model, files, query, done] = arguments;
    (async () => {
        const { toCSV } = await import('/web/export.js');
        const form = () => {
            const form = new FormData();
            for (const [name, bytes] of files) {
                form.append("file", new Blob([Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0))]), name);
            }
            return form;
        };
        const ask = async (format) => {
            const address = `/v1/models/${model}/predict?format=${format}${query}`;
            const response = await fetch(address, { method: "POST", body: form() });
            return response.text();
        };
        const answer = JSON.parse(await ask("json"));
        const answers = (answer.results ?? [{ ...answer, file: files[0][0] }]).map((result) =>
            ({ picture: result.file, model: answer.model, ...result }));
        return [await toCSV(answers).text(), await ask("csv")];
    })().then(done, (problem) => done([String(problem), ""]));
"""

WRITE_CSV = """
    const [answers, done] = arguments;
    import('/web/export.js').then(({ toCSV }) => toCSV(answers).text()).then(done, (problem) => done(String(problem)));
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
            "image": {"width": 640, "height": 480, "taken": "2023-06-01T12:34:56"},
            "detections": [box, {**box, "class_id": 1, "label": "ray"}],
        },
        "masks.png": {
            "image": {"width": 64, "height": 48},
            "detections": [{**box, "polygons": [[10, 20, 30, 20, 30, 60], [1, 2, 3, 4]], "mask": {"area": 390}}],
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
    size = {"width": 640, "height": 480}
    assert written["images"][0] == {"id": 1, "file_name": "a/boxes.png", **size, "date_captured": "2023-06-01T12:34:56"}
    assert written["images"][1] == {"id": 2, "file_name": "masks.png", "width": 64, "height": 48}
    assert written["categories"] == [{"id": 1, "name": "fish"}, {"id": 2, "name": "ray"}, {"id": 3, "name": "rain"}]
    plain = {"bbox": [10, 20, 20, 40], "iscrowd": 0, "score": 0.9}
    first, second, mask, points, turned, whole = written["annotations"]
    assert first == {"id": 1, "image_id": 1, "category_id": 1, "area": 800, **plain}, first
    assert second == {"id": 2, "image_id": 1, "category_id": 2, "area": 800, **plain}, second
    assert mask["segmentation"] == [[10, 20, 30, 20, 30, 60]] and mask["area"] == 390, mask
    assert points["keypoints"] == [11, 21, 2, 0, 0, 0, 13, 23, 2] and points["num_keypoints"] == 2, points
    assert turned["segmentation"] == [[20, 20, 30, 40, 20, 60, 10, 40]] and turned["area"] == 400, turned
    assert whole == {"id": 6, "image_id": 5, "category_id": 3, "score": 0.5}, whole
    passed("COCO files hold boxes, outlines, points, turned boxes and classes")


def check_csv(page):
    """The page's table is the server's, to the last byte."""
    pictures = {
        "reef, 1.png": picture([(2, 0, (255, 0, 0)), (7, 1, (0, 255, 0)), (9, 1, (200, 200, 255))]),
        "=nothing.png": picture([]),
        "empty.png": b"",
        "broken.png": b"no picture",
        "taken.jpg": picture([(4, 0, (0, 0, 255))], EXIF),
    }
    files = [[name, base64.b64encode(content).decode("ascii")] for name, content in pictures.items()]
    for some in (files, files[:1], files[1:2], files[4:]):
        for query in ("", "&confidence=0.05", "&classes=red", "&classes=red&classes=blue"):
            ours, server = page.driver.execute_async_script(COMPARE_CSV, "blocks-v8", some, query)
            assert ours == server, f"{ours}\n{server}"
            assert server.startswith("file,label,") and server.count("\r\n") > len(some), server
    assert "2023-06-01T12:34:56+02:00" in server, server
    mask = {"size": [4, 6], "counts": "", "area": 4}
    found = {"label": "@a", "class_id": 3, "score": 0.5, "box": [1, 2.5, 3, 4.123], "mask": mask}
    about = {"model": "m", "image": {"width": 6, "height": 4, "taken": "2023-06-01T12:34:56"}}
    answers = [
        {"picture": "mask.png", **about, "detections": [found]},
        {"picture": "class.png", **about, "detections": [], "classifications": [{**found, "box": None, "mask": None}]},
        {"picture": "\tfailed.png", "model": "m", "error": {"code": "not_a_picture"}},
    ]
    lines = page.driver.execute_async_script(WRITE_CSV, answers).split("\r\n")[1:]
    assert lines == [
        "mask.png,'@a,3,0.5,1,2.5,3,4.123,4,6,4,2023-06-01T12:34:56,m,",
        "class.png,'@a,3,0.5,,,,,,6,4,2023-06-01T12:34:56,m,",
        "'\tfailed.png,,,,,,,,,,,,m,not_a_picture",
        "",
    ], lines
    passed("CSV files have the server's lines, also for pictures without finds and for those that failed")


# An EXIF block that says when the picture was taken, and how far that is from UTC.
EXIF = (
    b"II*\0" + struct.pack("<I", 8)
    + struct.pack("<HHHIII", 1, 0x8769, 4, 1, 26, 0)
    + struct.pack("<HHHIIHHIII", 2, 0x9003, 2, 20, 56, 0x9011, 2, 7, 76, 0)
    + b"2023:06:01 12:34:56\0+02:00\0"
)


def picture(blocks, exif=None):
    """A grey PNG with blocks of 16 pixels: column, row, colour."""
    width, height = 640, 32
    rows = [bytearray(b"\x80" * (3 * width)) for _ in range(height)]
    for column, row, colour in blocks:
        for line in rows[16 * row : 16 * row + 16]:
            line[48 * column : 48 * column + 48] = bytes(colour) * 16

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + bytes(line) for line in rows))
    about = chunk(b"eXIf", exif) if exif else b""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + about + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


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
            check_csv(page)
        except AssertionError as failure:
            traceback.print_exc()
            sys.exit(f"FAIL  {failure}")
        finally:
            page.driver.quit()


if __name__ == "__main__":
    main()
