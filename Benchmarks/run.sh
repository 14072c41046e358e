#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Nereid: a vision model server.
#
# Measures a model on this machine: the engine alone, the pipeline, and the server over HTTP, in turn and several times over.
#
#   Benchmarks/run.sh [MODEL PICTURE...]     default: shared material beside the repository, if it is there
set -euo pipefail
cd "$(dirname "$0")/.."
shared="${NEREID_SHARED:-../shared}"
if [ $# -ge 2 ]; then
    model="$1"
    shift
elif [ -f "$shared/models/yolov5n-coco-fp16-640.onnx" ]; then
    model="$shared/models/yolov5n-coco-fp16-640.onnx"
    set -- "$shared"/images/photos/deepsea_1*.jpg "$shared"/images/photos/deepsea_2*.jpg
else
    echo "run.sh: say what to measure: Benchmarks/run.sh MODEL.onnx PICTURE.jpg ..." >&2
    exit 2
fi
exec python3 Benchmarks/benchmark.py --binary "${BINARY:-.build/release/nereid}" "$model" "$@"
