# SPDX-License-Identifier: Apache-2.0
# Nereid: a vision model server.
"""Looks at what the page says of models that can't be served, in a real browser.

    python problems_test.py BASE_URL READY_MODEL FAILED_MODEL [--screenshot DIR]

The server must serve both from one folder; the file of FAILED_MODEL is broken.
"""

import argparse
import json
import tempfile
import urllib.request
from pathlib import Path

from page_test import Page, check_quiet, passed


def reason_of(base_url, name):
    with urllib.request.urlopen(f"{base_url}/v1/models") as answer:
        return {model["name"]: model.get("reason") for model in json.load(answer)["models"]}[name]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("base_url")
    parser.add_argument("ready")
    parser.add_argument("failed")
    parser.add_argument("--screenshot", type=Path)
    arguments = parser.parse_args()
    if arguments.screenshot:
        arguments.screenshot.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as downloads:
        page = Page(arguments.base_url, downloads)
        try:
            page.open(arguments.ready)
            reason = reason_of(arguments.base_url, arguments.failed)
            assert reason, "the server gives no reason"
            box = page.find("#model-problems")
            page.wait("the list of problems", box.is_displayed)
            summary = page.find("#model-problems summary")
            assert summary.text == "1 model can’t be served", summary.text
            page.screenshot(arguments.screenshot, "problems-closed")
            summary.click()
            entry = page.find(f"#model-problems li[data-model='{arguments.failed}']")
            page.wait("the reason", entry.is_displayed)
            assert entry.text == f"{arguments.failed} {reason}", entry.text
            fits = "const { left, right } = arguments[0].getBoundingClientRect(); return left >= 0 && right <= innerWidth"
            assert page.script(fits, page.find("#model-problems ul")), "the list does not fit"
            page.screenshot(arguments.screenshot, "problems-open")
            passed("the page says which model can't be served, and why")
            option = page.find(f"#model option[value='{arguments.failed}']")
            assert option.text == f"{arguments.failed} (failed)" and not option.is_enabled(), option.text
            assert option.get_attribute("title") == reason
            passed("it can't be chosen")
            page.set_size(390, 844, mobile=True)
            page.wait("the list to fit a phone", lambda: page.script(fits, page.find("#model-problems ul")))
            page.screenshot(arguments.screenshot, "problems-phone")
            check_quiet(page, "problems")
        finally:
            page.driver.quit()


if __name__ == "__main__":
    main()
