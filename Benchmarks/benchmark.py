# SPDX-License-Identifier: Apache-2.0
# Nereid: a vision model server.
"""Measures Nereid against its limit, the engine alone, in one run on one machine.

Every figure is the median of several rounds. Only the standard library is used.
"""

import argparse
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import time
import urllib.request


def bench(binary, arguments, seconds):
    """One run of `nereid bench`, as its JSON."""
    command = [binary, "bench", *arguments, "--duration", str(seconds), "--warm-up", "1", "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


class Server:
    """`nereid serve` as a child process."""

    def __init__(self, binary, model, port):
        self.url = f"http://127.0.0.1:{port}"
        begun = time.monotonic()
        self.process = subprocess.Popen(
            [binary, "serve", f"bench={model}", "--port", str(port), "--log-level", "warning"]
        )
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/health/ready", timeout=1).close()
                break
            except OSError:
                if self.process.poll() is not None or time.monotonic() - begun > 120:
                    sys.exit("benchmark: the server did not become ready; its log is above")
                time.sleep(0.005)
        self.seconds_to_ready = time.monotonic() - begun

    def processor_seconds(self):
        """Processor time used so far: fields 14 and 15 of /proc/PID/stat, proc(5)."""
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_megabytes(self):
        """Resident memory now, and its peak: /proc/PID/status, proc(5)."""
        with open(f"/proc/{self.process.pid}/status") as status:
            lines = dict(line.split(":", 1) for line in status)
        return tuple(int(lines[key].split()[0]) / 1024 for key in ("VmRSS", "VmHWM"))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)


def against_model(options, stage, concurrency):
    """`nereid bench` straight against the model."""
    arguments = [options.model, *options.pictures, "--stage", stage, "--concurrency", str(concurrency)]
    return bench(options.binary, arguments, options.seconds)


def measure(options, port):
    """One round: name of a figure → its value.

    Whatever is compared with the engine alone is measured right after it, so that a machine whose speed drifts from one
    minute to the next changes both.
    """
    cores = os.cpu_count()
    figures = {}

    def limit(name, callers=cores):
        report = against_model(options, "engine", callers)
        figures[f"{name}_limit_per_second"] = report["requests_per_second"]
        figures[f"{name}_limit_cpu_ms"] = report["cpu_ms_per_request"]

    def keep(name, report):
        figures[f"{name}_per_second"] = report["requests_per_second"]
        figures[f"{name}_client_cpu_ms"] = report["cpu_ms_per_request"]
        for percentile in ("p50", "p90", "p99", "max"):
            figures[f"{name}_{percentile}_ms"] = report["latency_ms"][percentile]
        if f"{name}_limit_per_second" in figures:
            figures[f"{name}_ratio"] = figures[f"{name}_per_second"] / figures[f"{name}_limit_per_second"]

    keep("decode", against_model(options, "decode", cores))
    for stage in ("predict", "whole"):
        limit(stage)
        keep(stage, against_model(options, stage, cores + 1))
    server = Server(options.binary, options.model, port)
    try:
        figures["seconds_to_ready"] = server.seconds_to_ready
        for clients in (1, 4, 16):
            name = f"http_{clients}"
            # One client has one picture under way: its limit is the engine asked for one thing at a time.
            limit(name, callers=1 if clients == 1 else cores)
            before, begun = server.processor_seconds(), time.monotonic()
            report = bench(
                options.binary, [server.url, *options.pictures, "--concurrency", str(clients)], options.seconds
            )
            used, elapsed = server.processor_seconds() - before, time.monotonic() - begun
            keep(name, report)
            # The server worked through the warm-up too, at the same pace.
            figures[f"{name}_cpu_ms"] = 1000 * used / (report["requests_per_second"] * elapsed)
            figures[f"{name}_added_cpu_ms"] = (
                figures[f"{name}_cpu_ms"] - figures[f"{name}_limit_cpu_ms"] - figures["decode_client_cpu_ms"]
            )
        rate = 0.7 * figures["http_4_per_second"]
        keep("load70", bench(options.binary, [server.url, *options.pictures, "--rate", f"{rate:.2f}"], options.seconds))
        figures["resident_mb"], figures["resident_peak_mb"] = server.resident_megabytes()
    finally:
        server.stop()
    return figures


def processor_name():
    try:
        with open("/proc/cpuinfo") as info:
            return next(line.split(":", 1)[1].strip() for line in info if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"


def table(figures, options):
    """The medians as Markdown."""
    def row(what, name):
        return (
            f"| {what} | {figures[f'{name}_per_second']:.1f} | {figures[f'{name}_limit_per_second']:.1f} "
            f"| {figures[f'{name}_ratio']:.2f} |"
        )

    lines = [
        f"{os.cpu_count()} × {processor_name()}, {len(options.pictures)} pictures in turn, "
        f"medians of {options.rounds} rounds of {options.seconds:g} s.",
        "",
        "| what | images/s | engine alone, images/s | ratio |",
        "| --- | --- | --- | --- |",
        row("prediction, pictures in memory", "predict"),
        row("decoding and prediction", "whole"),
        row("HTTP, 1 client (the engine asked for one run at a time)", "http_1"),
        row("HTTP, 4 clients", "http_4"),
        row("HTTP, 16 clients", "http_16"),
        "",
        "| what | median |",
        "| --- | --- |",
        f"| latency, one client: p50, p99 | {figures['http_1_p50_ms']:.0f} ms, {figures['http_1_p99_ms']:.0f} ms |",
        f"| latency at 70 % load: p50, p90, p99, max | {figures['load70_p50_ms']:.0f}, {figures['load70_p90_ms']:.0f}, "
        f"{figures['load70_p99_ms']:.0f}, {figures['load70_max_ms']:.0f} ms |",
        f"| processor time a picture: engine alone, decoding alone | {figures['http_4_limit_cpu_ms']:.1f} ms, "
        f"{figures['decode_client_cpu_ms']:.1f} ms |",
        f"| processor time a picture that the server adds: 1, 4, 16 clients | {figures['http_1_added_cpu_ms']:.1f}, "
        f"{figures['http_4_added_cpu_ms']:.1f}, {figures['http_16_added_cpu_ms']:.1f} ms |",
        f"| processor time a picture: the load generator's own | {figures['http_4_client_cpu_ms']:.1f} ms |",
        f"| resident memory after the load, at its peak | {figures['resident_mb']:.0f} MB, "
        f"{figures['resident_peak_mb']:.0f} MB |",
        f"| start to ready | {figures['seconds_to_ready']:.2f} s |",
    ]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--port", type=int, default=18080)
    parser.add_argument("--json", help="file for every round's figures")
    parser.add_argument("model")
    parser.add_argument("pictures", nargs="+")
    options = parser.parse_args()
    rounds = []
    for number in range(options.rounds):
        print(f"round {number + 1} of {options.rounds} …", file=sys.stderr)
        rounds.append(measure(options, options.port + number))
    medians = {name: statistics.median(figures[name] for figures in rounds) for name in rounds[0]}
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"rounds": rounds, "medians": medians}, file, indent=2)
    print(table(medians, options))


if __name__ == "__main__":
    main()
