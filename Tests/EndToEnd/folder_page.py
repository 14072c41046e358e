# SPDX-License-Identifier: Apache-2.0
# Nereid: a vision model server.
"""The page with a folder on it, and folders and zips to put there; for folder_test.py."""

import json
import re
import urllib.request
import zipfile

from PIL import Image
from selenium.common.exceptions import StaleElementReferenceException

from page_test import ANSWER_TIMEOUT, Page

ROWS = """
    return [...document.querySelectorAll('#folder-list .folder-row')].sort((a, b) => a.dataset.place - b.dataset.place)
        .map((row) => ({ ...row.dataset, what: row.querySelector('.folder-what').textContent,
            isShown: row.ariaSelected === 'true' }));
"""


class FolderPage(Page):
    """The page with a folder on it, in the words of its test."""

    def drop(self, *paths):
        """As a file manager would: with real folders, which scripts can't make."""
        data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.command("Input.dispatchDragEvent", type=kind, x=400, y=300, data=data)

    @property
    def listed(self):
        """The rows in sight, in order."""
        return self.script(ROWS)

    @property
    def picture_name(self):
        """The whole path, of which only the last part is shown."""
        return self.find("#picture-name").get_attribute("title")

    @property
    def row_count(self):
        return int(self.find("#folder-list").get_attribute("data-rows") or -1)

    @property
    def progress(self):
        return self.find("#folder-progress").get_attribute("textContent")

    def row(self, name):
        return next((row for row in self.listed if row["name"] == name), None)

    def click(self, selector):
        """Buttons may be drawn anew between being found and being clicked."""
        try:
            self.find(selector).click()
        except StaleElementReferenceException:
            self.find(selector).click()

    def click_row(self, name):
        place = self.row(name)["place"]
        self.find(f"#folder-row-{place}").click()

    def choose_rows(self, value):
        self.script("document.querySelector(`[name=folder-choice][value=${arguments[0]}]`).click()", value)

    def wait_for_end(self, count, timeout=ANSWER_TIMEOUT):
        done = lambda: re.match(rf"{count:,} of {count:,} done\b", self.progress) and not self.is_running
        self.wait(f"all {count} pictures to be done", done, timeout)

    @property
    def is_running(self):
        return self.find("#folder-cancel").is_displayed()

    def set_network(self, upload=-1, offline=False):
        """Bytes a second; -1: as fast as it goes."""
        conditions = {"offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": upload}
        self.command("Network.enable")
        self.command("Network.emulateNetworkConditions", **conditions)

    def block(self, *patterns):
        self.command("Network.enable")
        self.command("Network.setBlockedURLs", urls=list(patterns))

    def downloaded_once(self, button, name):
        """Downloads a file and takes it away, so that the next one gets the same name."""
        self.click(button)
        file = self.downloads / name
        self.wait(name, lambda: file.exists() and file.stat().st_size > 0)
        text = file.read_text(encoding="utf-8")
        file.unlink()
        return text

    def close_folder(self):
        self.click("#folder-close")
        if self.find("#folder").is_displayed():
            self.click("#folder-close")
        self.wait("the folder to be put away", lambda: not self.find("#folder").is_displayed())

    def reload(self):
        self.driver.refresh()
        self.wait("the list of models", lambda: self.find("#model option"))
        self.wait("a ready model", lambda: self.find("#model-state[data-state=ready]"), ANSWER_TIMEOUT)


class Server:
    """What the server says of its jobs."""

    def __init__(self, base_url):
        self.base_url = base_url.rstrip("/")

    @property
    def jobs(self):
        return self.get("/v1/jobs?limit=1000")["jobs"]

    @property
    def picture_count(self):
        return sum(job["pictures"]["total"] for job in self.jobs)

    def classes(self, model):
        return self.get(f"/v1/models/{model}")["classes"]

    def get(self, path):
        with urllib.request.urlopen(self.base_url + path) as answer:
            return json.load(answer)

    def delete(self, jobs):
        for job in list(jobs):
            request = urllib.request.Request(f"{self.base_url}/v1/jobs/{job}", method="DELETE")
            urllib.request.urlopen(request).close()


def make_folder(folder, picture):
    """A folder of 44 pictures: 40 with finds, 2 without, 1 that is cut short, 1 that is empty; and 4 other files."""
    reef = folder / "reef"
    image = Image.open(picture).convert("RGB")
    for dive in ("dive 1", "dive 2/deep"):
        (reef / dive).mkdir(parents=True)
        for number in range(1, 21):
            copy = image.copy()
            copy.putpixel((0, 0), (number, 0, 0))
            copy.save(reef / dive / f"frame-{number}.png")
    for number in (1, 2):
        Image.new("RGB", image.size, (128, 128, 128)).save(reef / f"nothing-{number}.png")
    whole = (reef / "dive 1/frame-1.png").read_bytes()
    (reef / "cut.png").write_bytes(whole[: len(whole) // 2])
    (reef / "empty.png").write_bytes(b"")
    (reef / "notes.txt").write_text("Only words.\n", encoding="utf-8")
    (reef / "dive 1/log.csv").write_text("a,b\n", encoding="utf-8")
    (reef / ".hidden.png").write_bytes(whole)
    (reef / "__MACOSX").mkdir()
    (reef / "__MACOSX/frame-1.png").write_bytes(whole)
    return reef


def make_zip(folder, reef):
    """The same pictures, some stored and some packed, with one that is named in letters of its own."""
    path = folder / "packed.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(1, 6):
            method = zipfile.ZIP_DEFLATED if number % 2 else zipfile.ZIP_STORED
            archive.write(reef / f"dive 1/frame-{number}.png", f"tauchgänge/frame-{number}.png", compress_type=method)
        archive.write(reef / "notes.txt", "notes.txt")
        archive.write(reef / "dive 1/frame-1.png", "__MACOSX/._frame-1.png")
        # Packed by a method that browsers don't have.
        archive.write(reef / "dive 1/frame-6.png", "tauchgänge/frame-6.png", compress_type=zipfile.ZIP_LZMA)
    return path
