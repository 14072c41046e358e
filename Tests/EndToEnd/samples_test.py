# SPDX-License-Identifier: Apache-2.0
# Nereid: a vision model server.
"""Clicks the samples of the page in a real browser; the server must serve the bundled model.

    python samples_test.py BASE_URL [--screenshot DIR]
"""

import argparse
import tempfile

from page_test import ANSWER_TIMEOUT, Page, passed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base_url")
    parser.add_argument("--screenshot")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as downloads:
        page = Page(arguments.base_url, downloads)
        try:
            page.open("demo")
            page.wait("the samples", lambda: page.find("#samples").is_displayed())
            samples = page.all("#samples button")
            assert len(samples) == 4, f"{len(samples)} samples"
            loaded = "return [...document.querySelectorAll('#samples img')].every((i) => i.complete && i.naturalWidth === 640)"
            page.wait("the samples' pictures", lambda: page.script(loaded))
            page.screenshot(arguments.screenshot, "samples")
            samples[2].click()
            page.wait_for_current("done")
            page.wait("rows", lambda: page.rows, ANSWER_TIMEOUT)
            labels = {row.get_attribute("data-label") for row in page.rows}
            assert labels & {"penguin", "puffin"}, f"among the birds there are only {labels}"
            assert page.find("#picture-name").text == "birds.jpg", page.find("#picture-name").text
            page.wait_for_boxes(len(page.rows))
            page.screenshot(arguments.screenshot, "birds")
            trouble = page.script("return window.trouble")
            assert trouble == [], trouble
            passed(f"a sample shows what is in it: {len(page.rows)} boxes")
        finally:
            page.driver.quit()


if __name__ == "__main__":
    main()
