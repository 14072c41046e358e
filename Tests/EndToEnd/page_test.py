# SPDX-License-Identifier: Apache-2.0
# Nereid: a vision model server.
"""Uses the page as a person would, in a real browser against a running server.

    python page_test.py BASE_URL PICTURE [--model NAME] [--screenshot DIR]

PICTURE must be one in which the model finds something at its own confidence. Prints a line per check; exits with 1 at
the first one that fails. Needs selenium, Chromium or Chrome, and its driver.
"""

import argparse
import csv
import json
import math
import os
import shutil
import struct
import sys
import tempfile
import traceback
from pathlib import Path
from urllib.parse import urlsplit

from selenium import webdriver
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

ANSWER_TIMEOUT = 60
PAGE_TIMEOUT = 10

WATCH_FOR_TROUBLE = """
    window.trouble = [];
    addEventListener('error', (event) => window.trouble.push(`error: ${event.message ?? event.target?.src}`), true);
    addEventListener('unhandledrejection', (event) => window.trouble.push(`rejection: ${event.reason}`));
    addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
        window.trouble.push(`content security policy: ${violatedDirective} ${blockedURI}`));
"""

HAND_OVER_A_FILE = """
    const [kind, done] = arguments;
    document.getElementById('canvas').toBlob((blob) => {
        const carried = new DataTransfer();
        carried.items.add(new File([blob], `${kind}.png`, { type: 'image/png' }));
        const options = { bubbles: true, cancelable: true };
        document.body.dispatchEvent(kind === 'drop'
            ? new DragEvent('drop', { ...options, dataTransfer: carried })
            : new ClipboardEvent('paste', { ...options, clipboardData: carried }));
        done();
    });
"""

NAMELESS_CONTROLS = """
    return [...document.querySelectorAll('button, select, input, #canvas')]
        .filter((control) => control.checkVisibility())
        .filter((control) => !(control.textContent.trim() || control.ariaLabel || control.labels?.length))
        .map((control) => control.outerHTML);
"""

COLOURS = """
    const { backgroundColor, color } = getComputedStyle(document.body);
    return [backgroundColor, color].map((colour) => colour.match(/[\\d.]+/g).slice(0, 3).map(Number));
"""


class Page:
    """The page in a browser, in the words of its test."""

    def __init__(self, base_url, downloads):
        self.base_url = base_url
        self.downloads = Path(downloads)
        options = webdriver.ChromeOptions()
        for argument in ["--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1280,800"]:
            options.add_argument(argument)
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            options.add_argument("--no-sandbox")  # Chromium refuses to start as root with it, as in a container.
        options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        browser = first_program("chromium", "chromium-browser", "google-chrome")
        if browser:
            options.binary_location = browser
        self.driver = webdriver.Chrome(options=options, service=Service(first_program("chromedriver")))
        self.command("Page.addScriptToEvaluateOnNewDocument", source=WATCH_FOR_TROUBLE)
        self.set_size(1280, 800)

    def command(self, name, **parameters):
        return self.driver.execute_cdp_cmd(name, parameters)

    def set_size(self, width, height, mobile=False):
        size = {"width": width, "height": height, "deviceScaleFactor": 2, "mobile": mobile}
        self.command("Emulation.setDeviceMetricsOverride", **size)

    def open(self, model):
        self.driver.get(self.base_url)
        self.wait("the list of models", lambda: self.find("#model option"))
        if model:
            self.wait(f"model {model}", lambda: self.find(f"#model option[value='{model}']"))
            Select(self.find("#model")).select_by_value(model)
        self.wait("a ready model", lambda: self.find("#model-state[data-state=ready]"), ANSWER_TIMEOUT)

    def script(self, source, *arguments):
        return self.driver.execute_script(source, *arguments)

    def find(self, selector):
        found = self.all(selector)
        return found[0] if found else None

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def press(self, *keys):
        ActionChains(self.driver).send_keys(*keys).perform()

    def wait(self, what, condition, timeout=PAGE_TIMEOUT):
        try:
            return WebDriverWait(self.driver, timeout, poll_frequency=0.05).until(lambda _: condition())
        except TimeoutException:
            raise AssertionError(f"waited {timeout} s in vain for {what}") from None

    def choose(self, *pictures):
        self.find("#files").send_keys("\n".join(str(picture) for picture in pictures))

    def wait_for_current(self, status):
        selector = f"#thumbnails li[data-status={status}] .thumbnail[aria-current]"
        self.wait(f"the current picture to be {status}", lambda: self.find(selector), ANSWER_TIMEOUT)

    @property
    def rows(self):
        return self.all("#results li:not([hidden]) .row")

    @property
    def scores(self):
        return self.script("return [...document.querySelectorAll('#results .row')].map((row) => +row.dataset.score)")

    @property
    def thumbnails(self):
        return self.all("#thumbnails .thumbnail")

    @property
    def canvas(self):
        """What the canvas says about itself: its boxes, scale, offset, and which box stands out."""
        return self.script("return { ...document.getElementById('canvas').dataset }")

    @property
    def scale(self):
        return float(self.canvas["scale"])

    def set_confidence(self, value):
        self.script(
            "const slider = document.getElementById('confidence'); slider.value = arguments[0];"
            "slider.dispatchEvent(new Event('input', { bubbles: true }));",
            value,
        )

    def wait_for_boxes(self, count):
        self.wait(f"{count} boxes on the canvas", lambda: int(self.canvas["boxes"]) == count)

    def downloaded(self, button, ending):
        self.find(button).click()
        # The browser reserves the name with an empty file before it moves the whole one there.
        whole = lambda: [file for file in self.downloads.glob(f"*.{ending}") if file.stat().st_size > 0]
        return self.wait(f"the {ending} file", whole)[0]

    def screenshot(self, folder, name):
        if folder:
            self.driver.save_screenshot(str(Path(folder) / f"{name}.png"))


def first_program(*names):
    return next((path for path in map(shutil.which, names) if path), None)


def passed(text):
    print(f"ok    {text}", flush=True)


def check_welcome(page):
    assert page.find("#welcome").is_displayed(), "the first visit shows no welcome"
    assert not page.find(".panel").is_displayed(), "the first visit shows an empty panel"
    assert page.script(NAMELESS_CONTROLS) == [], f"controls without a name: {page.script(NAMELESS_CONTROLS)}"
    passed("the first visit says what to do")


def check_prediction(page, picture):
    page.choose(picture)
    page.wait_for_current("done")
    page.wait("rows", lambda: page.rows)
    page.wait_for_boxes(len(page.rows))
    shown, found = len(page.rows), len(page.scores)
    assert page.find("#results-count").text == (f"{shown} of {found}" if shown < found else str(found))
    assert page.script(NAMELESS_CONTROLS) == [], f"controls without a name: {page.script(NAMELESS_CONTROLS)}"
    passed(f"a chosen picture gets its boxes: {shown} shown of {found}")


def check_confidence(page):
    slider = page.find("#confidence")
    page.set_confidence(slider.get_attribute("min"))
    scores = page.scores
    page.wait_for_boxes(len(scores))
    assert len(page.rows) == len(scores), "the lowest confidence does not show every row"
    cut = math.floor(min(scores) * 100 + 1) / 100
    assert cut <= 1, "the picture needs a detection with a score below 1"
    page.set_confidence(cut)
    remaining = sum(score >= cut for score in scores)
    assert remaining < len(scores)
    page.wait_for_boxes(remaining)
    assert len(page.rows) == remaining, f"{len(page.rows)} rows instead of {remaining} at confidence {cut}"
    before = float(slider.get_attribute("value"))
    slider.send_keys(Keys.ARROW_LEFT)
    assert float(slider.get_attribute("value")) < before, "the slider does not obey the keyboard"
    page.set_confidence(1)
    page.find("#confidence-reset").click()
    assert not page.find("#confidence-reset").is_displayed(), "the model's own confidence is not restored"
    passed(f"the slider filters at once: {len(scores)} boxes, {remaining} from {cut:.2f}")


def check_classes(page):
    before = len(page.rows)
    chip = page.find("#chips li:not([hidden]) .chip")
    count = int(chip.get_attribute("data-count"))
    chip.click()
    assert chip.get_attribute("aria-pressed") == "false"
    page.wait_for_boxes(before - count)
    assert len(page.rows) == before - count
    chip.click()
    page.wait_for_boxes(before)
    passed(f"a class is switched off and on: {chip.get_attribute('data-label')}, {count} of {before}")


def check_hover(page):
    row = page.rows[-1]
    ActionChains(page.driver).move_to_element(row).perform()
    page.wait("the row's box to stand out", lambda: int(page.canvas["highlighted"]) == len(page.rows) - 1)
    box_of = lambda row: json.loads(row.get_attribute("data-box"))
    area_of = lambda row: (box_of(row)[2] - box_of(row)[0]) * (box_of(row)[3] - box_of(row)[1])
    smallest = min(page.rows, key=area_of)
    point_at(page, box_of(smallest))
    page.wait("the box's row to stand out", lambda: "is-highlighted" in smallest.get_attribute("class"))
    ActionChains(page.driver).click().perform()
    page.wait("the box to be selected", lambda: smallest.get_attribute("aria-current") == "true")
    page.press(Keys.ESCAPE)
    page.wait("the selection to end", lambda: smallest.get_attribute("aria-current") is None)
    passed("a row shows its box, and a box its row")


def point_at(page, box):
    state = page.canvas
    scale, x, y = (float(state[key]) for key in ("scale", "x", "y"))
    element = page.find("#canvas")
    right = (box[0] + box[2]) / 2 * scale + x - element.size["width"] / 2
    down = (box[1] + box[3]) / 2 * scale + y - element.size["height"] / 2
    ActionChains(page.driver).move_to_element_with_offset(element, round(right), round(down)).perform()


def check_zoom(page):
    fitted = page.scale
    page.press("+")
    page.wait("the picture to grow", lambda: page.scale > fitted * 1.2)
    page.find("#zoom-in").click()
    page.wait("the picture to grow further", lambda: page.scale > fitted * 2)
    page.press("0")
    page.wait("the whole picture", lambda: math.isclose(page.scale, fitted, rel_tol=1e-6))
    page.command("Input.dispatchMouseEvent", type="mouseWheel", x=300, y=300, deltaX=0, deltaY=-200)
    page.wait("the wheel to zoom", lambda: page.scale > fitted * 1.1)
    page.press(Keys.ESCAPE, Keys.ESCAPE)
    page.wait("Escape to show it whole", lambda: math.isclose(page.scale, fitted, rel_tol=1e-6))
    passed("keys, buttons and the wheel zoom")


def check_keyboard_rows(page):
    page.script("document.activeElement.blur()")
    page.press(Keys.ARROW_DOWN)
    active = lambda: page.driver.switch_to.active_element
    assert "row" in active().get_attribute("class").split(), "the arrow key does not reach the rows"
    first = active().get_attribute("data-index")
    if len(page.rows) > 1:
        page.press(Keys.ARROW_DOWN)
        assert active().get_attribute("data-index") != first, "the arrow key does not move on"
        page.press(Keys.HOME)
    page.wait("the focused row's box to stand out", lambda: int(page.canvas["highlighted"]) == 0)
    page.press(Keys.ENTER)
    assert active().get_attribute("aria-current") == "true", "Enter does not select the row"
    page.press(Keys.ESCAPE)
    passed("the rows are reached by the keyboard")


def check_downloads(page, picture):
    labels = [row.get_attribute("data-label") for row in page.rows]
    answer = json.loads(page.downloaded("#download-json", "json").read_text(encoding="utf-8"))
    assert [detection["label"] for detection in answer["detections"]] == labels
    assert answer["picture"] == picture.name
    table = page.downloaded("#download-csv", "csv").read_text(encoding="utf-8")
    lines = list(csv.DictReader(table.splitlines()))
    assert [line["label"] for line in lines] == labels
    box = answer["detections"][0]["box"]
    assert [float(lines[0][key]) for key in ("x1", "y1", "x2", "y2")] == box
    png = page.downloaded("#download-png", "png").read_bytes()
    assert png[:8] == b"\x89PNG\r\n\x1a\n", "the picture is not a PNG"
    size = struct.unpack(">II", png[16:24])
    assert size == (answer["image"]["width"], answer["image"]["height"]), f"the picture has {size}"
    passed(f"JSON, CSV and the picture are saved: {len(labels)} detections, {size[0]} × {size[1]} pixels")


def check_details(page, picture):
    page.find("#timings summary").click()
    page.find("#command summary").click()
    assert "Inference" in page.find("#timing-list").text
    line = page.find("#command-line").text
    assert line.startswith("curl ") and picture.name in line and page.base_url.rstrip("/") in line, line
    page.find("#command-copy").click()
    page.wait("the answer to copying", lambda: page.find("#toast").is_displayed())
    passed("the times and the line for programs are there")


def check_several(page, picture):
    before = len(page.thumbnails)
    page.choose(picture, picture)
    page.wait("the new thumbnails", lambda: len(page.thumbnails) == before + 2)
    page.wait("all to be done", lambda: len(page.all("#thumbnails li[data-status=done]")) == before + 2, ANSWER_TIMEOUT)
    page.script("document.activeElement.blur()")
    current = lambda: [thumbnail.get_attribute("aria-current") for thumbnail in page.thumbnails].index("true")
    assert current() == before, "the first new picture is not the one shown"
    page.press(Keys.ARROW_RIGHT)
    assert current() == before + 1
    page.press(Keys.ARROW_LEFT)
    assert current() == before
    assert page.find("#download-all-field").is_displayed()
    for kind in ("drop", "paste"):
        count = len(page.thumbnails)
        page.driver.execute_async_script(HAND_OVER_A_FILE, kind)
        page.wait(f"the picture to arrive by {kind}", lambda: len(page.thumbnails) == count + 1)
        page.wait_for_current("done")
    passed(f"several pictures are chosen, dropped and pasted, and the arrow keys walk: {len(page.thumbnails)}")


def check_error(page, folder):
    text = Path(folder) / "not a picture.txt"
    text.write_text("Only words.\n", encoding="utf-8")
    page.choose(text)
    page.wait_for_current("failed")
    title, detail = page.find("#problem-title"), page.find("#problem-detail")
    assert title.is_displayed() and title.text and detail.text, "the error is not explained"
    said = f"{title.text}: {detail.text}"
    page.find("#retry").click()
    page.wait_for_current("failed")
    page.wait("the error again", lambda: page.find("#problem").is_displayed())
    count = len(page.thumbnails)
    page.find("#discard").click()
    page.wait("the picture to be gone", lambda: len(page.thumbnails) == count - 1)
    assert not page.find("#problem").is_displayed()
    passed(f"a text file is refused in words: {said}")


def check_phone(page, model, picture, screenshots):
    page.set_size(360, 740, mobile=True)
    page.open(model)
    for stage in ("welcome", "results"):
        if stage == "results":
            page.choose(picture)
            page.wait_for_current("done")
            page.wait("rows", lambda: page.rows)
            # Models that can't be served have a summary too, which is hidden while there are none.
            for summary in page.all("summary"):
                if summary.is_displayed():
                    summary.click()
        content, window = page.script("return [document.documentElement.scrollWidth, window.innerWidth]")
        assert content <= window == 360, f"the {stage} fills {content} pixels of a window of {window}"
        page.screenshot(screenshots, f"phone-{stage}")
    page.set_size(1280, 800)
    passed("a phone of 360 pixels shows everything without scrolling sideways")


def check_dark(page, model, picture, screenshots):
    wishes = {"prefers-color-scheme": "dark", "prefers-reduced-motion": "reduce"}
    features = [{"name": name, "value": value} for name, value in wishes.items()]
    page.command("Emulation.setEmulatedMedia", features=features)
    page.open(model)
    page.choose(picture)
    page.wait_for_current("done")
    page.wait_for_boxes(len(page.rows))
    ground, ink = map(luminance, page.script(COLOURS))
    contrast = (ink + 0.05) / (ground + 0.05)
    assert ground < 0.05 and contrast > 7, f"dark mode has the luminances {ground:.3f} and {ink:.3f}"
    page.screenshot(screenshots, "dark")
    fitted = page.scale
    page.find("#canvas").send_keys("+")
    page.wait("the picture to grow without motion", lambda: math.isclose(page.scale, fitted * 1.5, rel_tol=1e-6))
    passed(f"dark mode is dark, with a contrast of {contrast:.1f}")


def luminance(colour):
    """Relative luminance of an sRGB colour (WCAG 2.2)."""
    linear = [c / 3294.6 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear))


def check_quiet(page, when):
    # The browser itself remarks on the error with which the text file was answered.
    is_expected = lambda entry: entry["source"] == "network" and "/predict" in entry["message"]
    entries = [entry for entry in page.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    trouble = [entry["message"] for entry in entries if not is_expected(entry)] + page.script("return window.trouble")
    assert not trouble, "the console is not quiet:\n" + "\n".join(trouble)
    own = urlsplit(page.base_url).netloc
    addresses = page.script("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    loaded = [urlsplit(address) for address in addresses]
    foreign = [address.geturl() for address in loaded if address.scheme != "blob" and address.netloc != own]
    assert not foreign, f"the page asked elsewhere: {foreign}"
    passed(f"no errors, no violations, nothing from elsewhere ({when})")


def run(page, arguments, folder):
    model, picture, screenshots = arguments.model, arguments.picture.resolve(), arguments.screenshot
    page.open(model)
    page.screenshot(screenshots, "welcome")
    check_welcome(page)
    check_prediction(page, picture)
    page.screenshot(screenshots, "results")
    check_confidence(page)
    check_classes(page)
    check_hover(page)
    check_zoom(page)
    check_keyboard_rows(page)
    check_downloads(page, picture)
    check_details(page, picture)
    check_several(page, picture)
    check_error(page, folder)
    check_quiet(page, "wide")
    check_phone(page, model, picture, screenshots)
    check_quiet(page, "phone")
    check_dark(page, model, picture, screenshots)
    check_quiet(page, "dark")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("base_url", metavar="BASE_URL")
    parser.add_argument("picture", metavar="PICTURE", type=Path)
    parser.add_argument("--model", help="the model to ask; else the one that the page chooses")
    parser.add_argument("--screenshot", metavar="DIR", type=Path, help="where to leave pictures of the page")
    arguments = parser.parse_args()
    if arguments.screenshot:
        arguments.screenshot.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as downloads:
        page = Page(arguments.base_url, downloads)
        try:
            run(page, arguments, folder)
        except AssertionError as failure:
            page.screenshot(arguments.screenshot, "failure")
            traceback.print_exc()
            sys.exit(f"FAIL  {failure}")
        finally:
            page.driver.quit()


if __name__ == "__main__":
    main()
