# SPDX-License-Identifier: Apache-2.0
# Nereid: a vision model server.
"""Drops folders, zips and many files onto the page, in a real browser against a running server.

    python folder_test.py BASE_URL PICTURE [--model NAME] [--without-jobs] [--screenshot DIR]

PICTURE must be one in which the model finds something at its own confidence. The server must keep jobs, and only this
test may use it; with --without-jobs it must keep none. Prints a line per check; exits with 1 at the first one that
fails. Needs selenium, Pillow, Chromium or Chrome, and its driver.
"""

import argparse
import base64
import csv
import json
import sys
import tempfile
import traceback
from pathlib import Path

from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from folder_page import FolderPage, Server, make_folder, make_zip
from page_test import ANSWER_TIMEOUT, NAMELESS_CONTROLS, passed

MANY = 10_000

MAKE_MANY = """
    const [count, bytes] = arguments;
    const carried = new DataTransfer();
    const picture = Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0));
    for (let number = 0; number < count; number += 1) {
        carried.items.add(new File([picture], `many-${number}.png`, { type: 'image/png' }));
    }
    const input = document.getElementById('files');
    input.files = carried.files;
    input.dispatchEvent(new Event('change', { bubbles: true }));
"""


def check_threshold(page, reef):
    frames = [reef / f"dive 1/frame-{number}.png" for number in range(1, 21)]
    page.choose(*frames[:2])
    page.wait("two thumbnails", lambda: len(page.thumbnails) == 2)
    assert not page.find("#folder").is_displayed(), "two pictures become a list"
    page.wait("both to be done", lambda: len(page.all("#thumbnails li[data-status=done]")) == 2, ANSWER_TIMEOUT)
    more = [reef / f"dive 2/deep/frame-{number}.png" for number in range(1, 21)]
    page.choose(*frames, *more[:4])
    page.wait("24 more thumbnails", lambda: len(page.thumbnails) == 26)
    assert not page.find("#folder").is_displayed(), "24 pictures become a list"
    page.choose(*frames, *more[:5])
    page.wait("the list", lambda: page.find("#folder").is_displayed())
    # Five names are there twice, from two folders: they are told apart.
    page.wait("25 rows", lambda: page.row_count == 25)
    assert page.row("frame-1.png") and page.row("frame-1 (2).png"), [row["name"] for row in page.listed]
    page.wait_for_end(25)
    assert len(page.thumbnails) == 26, "the list has taken the thumbnails away"
    page.close_folder()
    passed("24 files are looked at one by one, 25 become a list")


def check_drop(page, reef, screenshots):
    page.drop(reef)
    page.wait("the list", lambda: page.find("#folder").is_displayed())
    page.wait("44 rows", lambda: page.row_count == 44)
    names = [row["name"] for row in page.listed]
    frames = [f"reef/dive 1/frame-{number}.png" for number in (1, 2, 3)]
    assert names[:4] == ["reef/cut.png", *frames], names
    assert page.find("#folder-title").text == "reef"
    page.wait_for_end(44)
    assert "2 failed" in page.progress, page.progress
    ways = page.find("#folder-ways").text
    assert "2 files passed over" in ways, ways
    assert page.script(NAMELESS_CONTROLS) == [], f"controls without a name: {page.script(NAMELESS_CONTROLS)}"
    page.screenshot(screenshots, "folder-done")
    passed("a dropped folder is answered, all below it too, in the order of its paths")


def check_rows(page, screenshots):
    name = "reef/dive 1/frame-3.png"
    page.click_row(name)
    page.wait("the picture", lambda: page.picture_name == name)
    page.wait("its rows", lambda: page.rows)
    page.wait_for_boxes(len(page.rows))
    assert page.row(name)["count"] == str(len(page.rows)), page.row(name)
    assert page.row(name)["isShown"], "the row does not say that it is shown"
    page.find("#folder-list").send_keys(Keys.ARROW_DOWN)
    page.wait("the next picture", lambda: page.picture_name == "reef/dive 1/frame-4.png")
    page.script("document.activeElement.blur()")
    page.press(Keys.ARROW_LEFT)
    page.wait("the one before", lambda: page.picture_name == name)
    page.find("#folder-list").send_keys(Keys.END)
    page.wait("the last picture", lambda: page.picture_name == "reef/nothing-2.png")
    page.wait("no boxes", lambda: page.canvas["boxes"] == "0")
    assert page.row("reef/nothing-2.png")["what"] == "nothing"
    page.find("#folder-list").send_keys(Keys.HOME)
    page.wait("what went wrong", lambda: page.find("#problem").is_displayed())
    assert page.row("reef/cut.png")["what"] == page.find("#problem-title").text
    assert not page.find("#discard").is_displayed(), "a folder's picture can be removed from the strip"
    page.screenshot(screenshots, "folder-problem")
    passed("rows show their pictures, by pointer and by keyboard; one that failed says why")


def check_choices(page):
    for value, count in (("found", 40), ("empty", 2), ("failed", 2), ("all", 44)):
        page.choose_rows(value)
        page.wait(f"{count} rows that are {value}", lambda: page.row_count == count)
    page.choose_rows("failed")
    page.wait("the failed ones", lambda: [row["name"] for row in page.listed] == ["reef/cut.png", "reef/empty.png"])
    page.choose_rows("all")
    page.wait("all of them", lambda: page.row_count == 44)
    name = "reef/dive 1/frame-1.png"
    page.click_row(name)
    page.wait("the picture", lambda: page.picture_name == name and page.rows)
    before = int(page.row(name)["count"])
    page.set_confidence(1)
    sure = sum(score >= 1 for score in page.scores)
    assert sure < before, "the picture needs a detection with a score below 1"
    page.wait("fewer finds at the highest confidence", lambda: page.row(name)["count"] == str(sure))
    page.click("#confidence-reset")
    page.wait("the finds again", lambda: page.row(name)["count"] == str(before))
    passed("the list can be narrowed, and its counts follow the confidence")


def check_downloads(page, labels):
    found = page.row("reef/dive 1/frame-1.png")
    count = int(found["count"])
    whole = json.loads(page.downloaded_once("#folder-json", "reef.detections.json"))
    by_name = {entry["picture"]: entry for entry in whole["pictures"]}
    assert len(by_name) == 44, len(by_name)
    first = by_name["reef/dive 1/frame-1.png"]
    assert len(first["detections"]) == count and first["image"]["width"] > 0, first
    assert by_name["reef/cut.png"]["error"]["code"] == "damaged_picture", by_name["reef/cut.png"]
    assert by_name["reef/nothing-1.png"]["detections"] == []
    coco = json.loads(page.downloaded_once("#folder-coco", "reef.coco.json"))
    total = sum(len(entry.get("detections", [])) for entry in whole["pictures"])
    assert len(coco["images"]) == 42 and len(coco["annotations"]) == total, (len(coco["images"]), total)
    assert [category["name"] for category in coco["categories"]] == labels, coco["categories"]
    images = {image["id"]: image for image in coco["images"]}
    names = {category["id"]: category["name"] for category in coco["categories"]}
    ids = [annotation["id"] for annotation in coco["annotations"]]
    assert len(set(ids)) == len(ids) and min(ids) == 1
    own = [one for one in coco["annotations"] if images[one["image_id"]]["file_name"] == first["picture"]]
    for annotation, detection in zip(own, first["detections"], strict=True):
        x, y, width, height = annotation["bbox"]
        x1, y1, x2, y2 = detection["box"]
        assert [x, y] == [x1, y1] and abs(x + width - x2) < 0.01 and abs(y + height - y2) < 0.01, annotation
        assert abs(annotation["area"] - width * height) < 0.01 and annotation["iscrowd"] == 0
        assert names[annotation["category_id"]] == detection["label"] and annotation["score"] == detection["score"]
    lines = list(csv.DictReader(page.downloaded_once("#folder-csv", "reef.detections.csv").splitlines()))
    # A picture without finds has a line too, and so has one that failed.
    empty = [entry for entry in whole["pictures"] if not entry.get("detections")]
    assert len(lines) == total + len(empty), f"{len(lines)} lines of {total} and {len(empty)}"
    assert {line["file"] for line in lines} == {entry["picture"] for entry in whole["pictures"]}
    for entry in empty:
        [line] = [line for line in lines if line["file"] == entry["picture"]]
        assert line["label"] == "" and line["error"] == entry.get("error", {}).get("code", ""), line
    passed(f"one file holds all: {total} detections as JSON, COCO and CSV")
    return whole


def check_other_model(page, reef):
    """A list is one model's work: pictures for another model do not get into it."""
    own = page.find("#model").get_attribute("value")
    others = [option.get_attribute("value") for option in page.all("#model option")]
    other = next((name for name in others if name != own), None)
    if other is None:
        return
    Select(page.find("#model")).select_by_value(other)
    page.drop(reef)
    page.wait("the refusal", lambda: f"‘reef’ is for {own}" in page.find("#toast").text)
    Select(page.find("#model")).select_by_value(own)
    passed("a list is not mixed from two models")


def pictures_of(whole):
    return {entry["picture"]: entry.get("detections") for entry in whole["pictures"]}


def check_reload(page, reef, before, server, screenshots):
    page.reload()
    assert page.find("#offer").is_displayed() and "43 pictures of ‘reef’" in page.find("#offer-text").text, (
        page.find("#offer-text").text
    )
    page.screenshot(screenshots, "folder-offer")
    page.click("#take-up")
    page.wait_for_end(43)
    names = [row["name"] for row in page.listed]
    assert names[:2] == ["reef/cut.png", "reef/dive 1/frame-1.png"], f"the order is another one: {names}"
    after = json.loads(page.downloaded_once("#folder-json", "reef.detections.json"))
    known = {name: found for name, found in pictures_of(before).items() if name != "reef/empty.png"}
    assert pictures_of(after) == known, "the results after the reload are others"
    name = "reef/dive 1/frame-3.png"
    page.click_row(name)
    page.wait("its boxes without the picture", lambda: int(page.canvas["boxes"]) == len(before_of(before, name)))
    page.wait("why it is not there", lambda: "reload" in page.find("#hint").text)
    jobs = len(server.jobs)
    page.drop(reef)
    # Only the file that was never sent is new.
    page.wait("the pictures to be found again", lambda: page.row_count == 44)
    page.wait_for_end(44)
    page.click_row(name)
    page.wait("the picture itself", lambda: not page.find("#hint").is_displayed() and page.canvas["boxes"] != "0")
    assert len(server.jobs) == jobs, "pictures that were answered are sent again"
    passed("after a reload the results are there again, and the pictures when the folder is added again")


def before_of(whole, name):
    return next(entry["detections"] for entry in whole["pictures"] if entry["picture"] == name)


def check_deletion(page, server):
    assert server.jobs, "the server has no jobs to forget"
    page.click("#folder-remove")
    page.wait("the server to forget", lambda: not server.jobs)
    page.wait("the button to go", lambda: not page.find("#folder-remove").is_displayed())
    assert page.row("reef/dive 1/frame-1.png")["status"] == "done", "the results have left the page"
    page.close_folder()
    page.reload()
    assert not page.find("#offer").is_displayed(), "what was deleted is offered"
    passed("the server forgets, and the results stay until the folder is put away")


def check_zip(page, path, screenshots):
    page.choose(path)
    page.wait("the list", lambda: page.find("#folder").is_displayed())
    page.wait("6 rows", lambda: page.row_count == 6)
    page.wait_for_end(6)
    assert page.find("#folder-title").text == "packed"
    statuses = {row["name"]: row["status"] for row in page.listed}
    assert statuses.pop("tauchgänge/frame-6.png") == "failed", statuses
    assert set(statuses.values()) == {"done"}, statuses
    for name in ("tauchgänge/frame-1.png", "tauchgänge/frame-2.png"):
        page.click_row(name)
        page.wait("the picture", lambda: page.picture_name == name)
        page.wait("its boxes", lambda: page.canvas["boxes"] == page.row(name)["count"] != "0")
        page.wait("the unpacked picture", lambda: not page.find("#hint").is_displayed())
    page.click_row("tauchgänge/frame-6.png")
    page.wait("why it can't be unpacked", lambda: "method" in page.find("#problem-detail").text)
    page.screenshot(screenshots, "folder-zip")
    page.close_folder()
    passed("a zip is a folder, and what can't be unpacked says why")


def check_chosen_folder(page, reef):
    page.find("#folder-files").send_keys(str(reef / "dive 2"))
    page.wait("20 rows", lambda: page.row_count == 20)
    page.wait_for_end(20)
    assert page.row("dive 2/deep/frame-1.png"), [row["name"] for row in page.listed]
    page.click("#folder-remove")
    page.wait("the button to go", lambda: not page.find("#folder-remove").is_displayed())
    page.close_folder()
    passed("a folder is chosen by a button")


def check_refusals(page, folder):
    nothing = folder / "nothing"
    nothing.mkdir()
    (nothing / "notes.txt").write_text("Only words.\n", encoding="utf-8")
    page.drop(nothing)
    page.wait("the refusal", lambda: "no pictures in ‘nothing’" in page.find("#toast").text)
    broken = folder / "broken.zip"
    broken.write_bytes(b"PK\x03\x04 and nothing more")
    page.choose(broken)
    page.wait("the refusal", lambda: "broken.zip: This is no zip" in page.find("#toast").text)
    assert not page.find("#folder").is_displayed()
    passed("a folder without pictures and a broken zip are refused in words")


def check_polling(page, reef):
    page.block("*/events*")
    page.drop(reef)
    page.wait_for_end(44)
    page.block()
    page.click("#folder-remove")
    page.wait("the button to go", lambda: not page.find("#folder-remove").is_displayed())
    page.close_folder()
    passed("without streams the page asks for results")


def check_lost_network(page, server, reef):
    page.set_network(offline=True)
    page.drop(reef)
    page.wait("words about it", lambda: "can’t be reached" in page.find("#folder-note").text)
    assert page.row("reef/dive 1/frame-1.png")["status"] in ("waiting", "uploading")
    page.set_network()
    page.wait_for_end(44)
    assert not page.find("#folder-note").is_displayed(), page.find("#folder-note").text
    assert server.picture_count == 43, "pictures were sent twice"
    page.click("#folder-remove")
    page.wait("the button to go", lambda: not page.find("#folder-remove").is_displayed())
    page.close_folder()
    passed("a lost network is waited for, and nothing is sent twice")


def check_pause_and_cancel(page, server, reef):
    page.set_network(upload=500)
    page.drop(reef)
    page.wait("the pause button", lambda: page.find("#folder-pause").is_displayed())
    page.click("#folder-pause")
    page.wait("the way back", lambda: page.find("#folder-pause").text == "Go on")
    page.click("#folder-pause")
    page.wait("the pause button", lambda: page.find("#folder-pause").text == "Pause")
    page.click("#folder-cancel")
    page.wait("the end", lambda: not page.is_running)
    # The empty file has failed by itself; what can't be read is not cancelled.
    assert "cancelled" in page.progress, page.progress
    page.set_network()
    page.wait("nothing to be left on the server", lambda: all(job["state"] == "done" for job in server.jobs))
    page.click("#folder-retry")
    page.wait_for_end(44)
    page.wait("uploads that were under way to be taken back", lambda: server.picture_count == 43)
    page.click("#folder-remove")
    page.wait("the button to go", lambda: not page.find("#folder-remove").is_displayed())
    page.close_folder()
    passed("a folder is paused, cancelled, and sent again")


def check_many(page, picture):
    page.set_network(offline=True)
    page.driver.set_script_timeout(60)
    page.script(MAKE_MANY, MANY, base64.b64encode(picture.read_bytes()).decode("ascii"))
    page.wait(f"{MANY} rows", lambda: page.row_count == MANY, ANSWER_TIMEOUT)
    elements = len(page.all("#folder-list .folder-row"))
    assert elements < 100, f"{elements} rows are elements"
    page.find("#folder-list").send_keys(Keys.END)
    page.wait("the last row", lambda: page.row(f"many-{MANY - 1}.png"))
    page.wait("the last picture", lambda: page.picture_name == f"many-{MANY - 1}.png")
    page.click("#folder-cancel")
    page.wait("the end", lambda: not page.is_running, ANSWER_TIMEOUT)
    page.set_network()
    page.close_folder()
    passed(f"{MANY:,} pictures are {elements} rows")


def check_without_jobs(page, reef, screenshots):
    page.drop(reef)
    page.wait("the list", lambda: page.find("#folder").is_displayed())
    page.wait_for_end(44)
    assert "2 failed" in page.progress, page.progress
    assert "keeps no jobs" in page.find("#folder-ways").text, page.find("#folder-ways").text
    assert not page.find("#folder-remove").is_displayed()
    page.click_row("reef/dive 1/frame-1.png")
    page.wait("its boxes", lambda: int(page.canvas["boxes"]) > 0)
    page.screenshot(screenshots, "folder-without-jobs")
    passed("a server that keeps no jobs is asked for one picture after another")


def check_phone(page, model, reef, screenshots):
    page.set_size(360, 740, mobile=True)
    page.open(model)
    page.find("#folder-files").send_keys(str(reef))
    page.wait("the list", lambda: page.find("#folder").is_displayed())
    page.wait_for_end(44)
    content, window = page.script("return [document.documentElement.scrollWidth, window.innerWidth]")
    assert content <= window == 360, f"the folder fills {content} pixels of a window of {window}"
    page.screenshot(screenshots, "folder-phone")
    page.script("document.getElementById('folder').scrollIntoView()")
    page.screenshot(screenshots, "folder-phone-list")
    page.click("#folder-remove")
    page.wait("the button to go", lambda: not page.find("#folder-remove").is_displayed())
    page.close_folder()
    page.set_size(1280, 800)
    passed("a phone of 360 pixels shows a folder without scrolling sideways")


def check_quiet(page):
    # The browser itself remarks on requests that failed, as some must here.
    entries = [entry for entry in page.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    trouble = [entry["message"] for entry in entries if entry["source"] != "network"]
    trouble += page.script("return window.trouble")
    assert not trouble, "the console is not quiet:\n" + "\n".join(trouble)
    passed("no errors, no violations")


def run(page, arguments, folder):
    model, picture, screenshots = arguments.model, arguments.picture.resolve(), arguments.screenshot
    reef = make_folder(folder, picture)
    page.open(model)
    if arguments.without_jobs:
        check_without_jobs(page, reef, screenshots)
        check_quiet(page)
        return
    server = Server(arguments.base_url)
    assert not server.jobs, "the server has jobs already"
    labels = server.classes(page.find("#model").get_attribute("value"))
    check_threshold(page, reef)
    check_quiet(page)
    page.open(model)
    check_drop(page, reef, screenshots)
    check_rows(page, screenshots)
    check_choices(page)
    whole = check_downloads(page, labels)
    check_quiet(page)
    check_other_model(page, reef)
    check_reload(page, reef, whole, server, screenshots)
    check_deletion_of_all(page, server)
    page.open(model)
    check_zip(page, make_zip(folder, reef), screenshots)
    check_chosen_folder(page, reef)
    check_refusals(page, folder)
    server.delete(job["id"] for job in server.jobs)
    check_polling(page, reef)
    check_lost_network(page, server, reef)
    check_pause_and_cancel(page, server, reef)
    check_many(page, picture)
    check_quiet(page)
    check_phone(page, model, reef, screenshots)
    check_quiet(page)


def check_deletion_of_all(page, server):
    # The jobs of the first check are not this folder's.
    own = {job["id"] for job in server.jobs if job["pictures"]["total"] in (32, 11)}
    server.delete(job["id"] for job in server.jobs if job["id"] not in own)
    check_deletion(page, server)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("base_url", metavar="BASE_URL")
    parser.add_argument("picture", metavar="PICTURE", type=Path)
    parser.add_argument("--model", help="the model to ask; else the one that the page chooses")
    parser.add_argument("--without-jobs", action="store_true", help="the server keeps no jobs")
    parser.add_argument("--screenshot", metavar="DIR", type=Path, help="where to leave pictures of the page")
    arguments = parser.parse_args()
    if arguments.screenshot:
        arguments.screenshot.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as downloads:
        page = FolderPage(arguments.base_url, downloads)
        try:
            run(page, arguments, Path(folder))
        except AssertionError as failure:
            page.screenshot(arguments.screenshot, "failure")
            traceback.print_exc()
            sys.exit(f"FAIL  {failure}")
        finally:
            page.driver.quit()


if __name__ == "__main__":
    main()
