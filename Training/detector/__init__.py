# SPDX-License-Identifier: Apache-2.0
# Nereid: a vision model server.
"""The demonstration detector: network, assignment, loss."""
