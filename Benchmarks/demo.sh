#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Nereid: a vision model server.
#
# Measures how well a model finds the animals of the Aquarium validation photographs, through `nereid predict`:
#
#   Benchmarks/demo.sh [DATASET [MODEL]]     default: shared/datasets/aquarium beside the repository, and the bundled model
#
# These are the figures of Models/demo/README.md.
set -euo pipefail
cd "$(dirname "$0")/.."
dataset="${1:-${NEREID_SHARED:-../shared}/datasets/aquarium}"
[ -d "$dataset/valid/images" ] || {
    echo "demo.sh: there are no pictures in $dataset/valid/images; say where the Aquarium data set is" >&2
    exit 2
}
if [ ! -x .venv-training/bin/python ]; then
    python3 -m venv .venv-training
    .venv-training/bin/pip install --quiet --disable-pip-version-check $(grep -E '^(numpy|pillow|pycocotools)==' Training/requirements.txt)
fi
[ -n "${BINARY:-}" ] || make --no-print-directory build
exec .venv-training/bin/python Benchmarks/demo.py --binary "${BINARY:-.build/release/nereid}" "$dataset" "${2:-demo}"
