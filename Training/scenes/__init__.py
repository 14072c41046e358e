# SPDX-License-Identifier: Apache-2.0
# Nereid: a vision model server.
"""Underwater scenes drawn from shapes, with exact boxes: unlimited training pictures, and the samples of the page."""

NAMES = ("fish", "jellyfish", "penguin", "puffin", "shark", "starfish", "stingray")
