# SPDX-License-Identifier: Apache-2.0
# Nereid: a vision model server.
"""Labelled pictures, and what is done to them before the network sees them."""
