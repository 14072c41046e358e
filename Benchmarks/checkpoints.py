# SPDX-License-Identifier: Apache-2.0
# Nereid: a vision model server.
"""Measures a checkpoint served as it is against ONNX files of the same weights, in one run.

    python3 Benchmarks/checkpoints.py yolov5n.pt PICTURE.jpg --export yolov5n-by-its-framework.onnx

The checkpoint is also exported by `nereid export`. All are fitted into the same square, and asked in turn, round by round; the
figures are medians. Then the time from start to ready, with an empty cache and with the graph kept. Only the standard library is used.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path


def rate(binary, model, picture, stage, seconds):
    """Pictures in a second, by one client."""
    command = [binary, "bench", str(model), picture, "--stage", stage, "--concurrency", "1", "--instances", "1"]
    command += ["--threads", "1", "--duration", str(seconds), "--warm-up", "1", "--json"]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return answer["requests_per_second"]


def seconds_to_ready(binary, model, port, environment):
    begun = time.monotonic()
    server = subprocess.Popen(
        [binary, "serve", str(model), "--port", str(port), "--log-level", "error"], env=os.environ | environment
    )
    try:
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=1).close()
                break
            except OSError:
                if server.poll() is not None or time.monotonic() - begun > 120:
                    raise SystemExit("checkpoints.py: the server did not become ready")
                time.sleep(0.002)
        taken = time.monotonic() - begun
        status = Path(f"/proc/{server.pid}/status").read_text() if os.path.exists("/proc/self/status") else ""
        memory = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("Vm")}
        return taken, memory.get("VmRSS", float("nan")), memory.get("VmHWM", float("nan"))
    finally:
        server.terminate()
        server.wait(timeout=60)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("picture")
    parser.add_argument("--export", type=Path, help="the framework's own ONNX export of the same weights")
    parser.add_argument("--size", type=int, default=640)
    parser.add_argument("--binary", default=".build/release/nereid")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--port", type=int, default=8197)
    arguments = parser.parse_args()
    binary = os.path.abspath(arguments.binary)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cache = {"NEREID_CACHE": str(folder / "cache")}
        os.environ |= cache
        settings = f"input_size: {arguments.size}\nletterbox: square\n"
        models = {"checkpoint as it is": folder / "served.pt", "nereid export": folder / "exported.onnx"}
        models["checkpoint as it is"].symlink_to(arguments.checkpoint.resolve())
        subprocess.run([binary, "export", arguments.checkpoint, "-o", models["nereid export"]], check=True, stdout=subprocess.DEVNULL)
        if arguments.export:
            models = {"framework's own export": folder / "framework.onnx"} | models
            models["framework's own export"].symlink_to(arguments.export.resolve())
        for model in models.values():
            model.with_suffix(".yaml").write_text(settings)

        stages = {"engine": "engine alone", "predict": "letterbox, engine, head"}
        rates = {(label, stage): [] for label in models for stage in stages}
        for _ in range(arguments.rounds):
            for stage in stages:
                for label, model in models.items():
                    rates[label, stage].append(rate(binary, model, arguments.picture, stage, arguments.seconds))
        print(f"{arguments.checkpoint.name}, {arguments.size} × {arguments.size}, one thread, median of {arguments.rounds} rounds")
        print()
        print(f"| milliseconds a picture | {' | '.join(stages.values())} | ratio |")
        print("|---|---:|---:|---:|")
        times = {key: statistics.median(1000 / value for value in values) for key, values in rates.items()}
        first = next(iter(models))
        for label in models:
            row = " | ".join(f"{times[label, stage]:.1f}" for stage in stages)
            print(f"| {label} | {row} | {times[label, 'predict'] / times[first, 'predict']:.2f} |")
        print()
        print("| from start to ready | seconds | MB resident | MB at the peak |")
        print("|---|---:|---:|---:|")
        model = models["checkpoint as it is"]
        for label, clean in (("empty cache", True), ("graph kept", False)):
            runs = []
            for _ in range(arguments.rounds):
                if clean:
                    for file in (folder / "cache").glob("*"):
                        file.unlink()
                runs.append(seconds_to_ready(binary, model, arguments.port, cache))
            print(f"| checkpoint, {label} | " + " | ".join(f"{statistics.median(run[i] for run in runs):.2f}" if i == 0 else f"{statistics.median(run[i] for run in runs):.0f}" for i in range(3)) + " |")
        runs = [seconds_to_ready(binary, models["nereid export"], arguments.port, cache) for _ in range(arguments.rounds)]
        print("| ONNX file | " + " | ".join(f"{statistics.median(run[i] for run in runs):.2f}" if i == 0 else f"{statistics.median(run[i] for run in runs):.0f}" for i in range(3)) + " |")


if __name__ == "__main__":
    main()
