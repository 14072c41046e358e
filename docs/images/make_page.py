#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Nereid: a vision model server.
"""Takes docs/images/page.png of a running server that serves the bundled model.

    .build/release/nereid serve
    .venv/bin/python docs/images/make_page.py http://localhost:8080

Needs what scripts/setup --tests installs.
"""

import pathlib
import sys
import tempfile
import time

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent.parent / "Tests" / "EndToEnd"))

from page_test import Page  # noqa: E402


def main():
    with tempfile.TemporaryDirectory() as downloads:
        page = Page(sys.argv[1], downloads)
        try:
            size = {"width": 1280, "height": 800, "deviceScaleFactor": 1, "mobile": False}
            page.command("Emulation.setDeviceMetricsOverride", **size)
            page.open("demo")
            page.choose(FOLDER.parent.parent / "Web" / "samples" / "reef.jpg")
            page.wait_for_current("done")
            page.wait("rows", lambda: page.rows)
            time.sleep(1)  # The panel slides in.
            page.screenshot(FOLDER, "page")
        finally:
            page.driver.quit()


if __name__ == "__main__":
    main()
