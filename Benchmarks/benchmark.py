# SPDX-License-Identifier: Apache-2.0
# Nereid: a vision model server.
"""Measures Nereid against its limit, the engine alone, in one run on one machine.

Every figure is the median of several rounds, and each round measures everything once, one thing after another, so that a
machine that slows down slows all of it. Only the standard library is used.
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
    command = [binary, "bench", *arguments, "--duration", str(seconds), "--warm-up", "2", "--json"]
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


def measure(options, port):
    """One round: name of a figure → its value."""
    figures = {}
    for stage in ("engine", "decode", "predict", "whole"):
        concurrency = os.cpu_count() if stage in ("engine", "decode") else os.cpu_count() + 1
        report = bench(
            options.binary,
            [options.model, *options.pictures, "--stage", stage, "--concurrency", str(concurrency)],
            options.seconds,
        )
        figures[f"{stage}_per_second"] = report["requests_per_second"]
        figures[f"{stage}_cpu_ms"] = report["cpu_ms_per_request"]
    server = Server(options.binary, options.model, port)
    try:
        figures["seconds_to_ready"] = server.seconds_to_ready
        for clients in (1, 4, 16):
            before, begun = server.processor_seconds(), time.monotonic()
            report = bench(
                options.binary,
                [server.url, *options.pictures, "--concurrency", str(clients)],
                options.seconds,
            )
            used, elapsed = server.processor_seconds() - before, time.monotonic() - begun
            figures[f"http_{clients}_per_second"] = report["requests_per_second"]
            figures[f"http_{clients}_p50_ms"] = report["latency_ms"]["p50"]
            figures[f"http_{clients}_p99_ms"] = report["latency_ms"]["p99"]
            figures[f"http_{clients}_client_cpu_ms"] = report["cpu_ms_per_request"]
            # The server worked through the warm-up too, at the same pace.
            figures[f"http_{clients}_cpu_ms"] = 1000 * used / (report["requests_per_second"] * elapsed)
        rate = 0.7 * figures["http_4_per_second"]
        report = bench(options.binary, [server.url, *options.pictures, "--rate", f"{rate:.2f}"], options.seconds)
        for name in ("p50", "p90", "p99", "max"):
            figures[f"load70_{name}_ms"] = report["latency_ms"][name]
        figures["resident_mb"], figures["resident_peak_mb"] = server.resident_megabytes()
    finally:
        server.stop()
    figures["ratio_predict"] = figures["predict_per_second"] / figures["engine_per_second"]
    figures["ratio_whole"] = figures["whole_per_second"] / figures["engine_per_second"]
    for clients in (1, 4, 16):
        figures[f"ratio_http_{clients}"] = figures[f"http_{clients}_per_second"] / figures["engine_per_second"]
    figures["added_cpu_ms"] = figures["http_4_cpu_ms"] - figures["engine_cpu_ms"] - figures["decode_cpu_ms"]
    return figures


def processor_name():
    try:
        with open("/proc/cpuinfo") as info:
            return next(line.split(":", 1)[1].strip() for line in info if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"


def table(figures, options):
    """The medians as Markdown."""
    def row(what, value, ratio=""):
        return f"| {what} | {value} | {ratio} |"

    per_second = lambda key: f"{figures[key]:.1f} images/s"
    lines = [
        f"{os.cpu_count()} × {processor_name()}, {len(options.pictures)} pictures in turn, "
        f"medians of {options.rounds} rounds of {options.seconds} s.",
        "",
        "| what | median | of the engine alone |",
        "| --- | --- | --- |",
        row("engine alone, fixed tensor (the limit)", per_second("engine_per_second"), "1.00"),
        row("prediction, pictures in memory", per_second("predict_per_second"), f"{figures['ratio_predict']:.2f}"),
        row("decoding and prediction", per_second("whole_per_second"), f"{figures['ratio_whole']:.2f}"),
    ]
    lines += [
        row(
            f"HTTP, {clients} client{'s' if clients > 1 else ''}",
            per_second(f"http_{clients}_per_second"),
            f"{figures[f'ratio_http_{clients}']:.2f}",
        )
        for clients in (1, 4, 16)
    ]
    lines += [
        "",
        "| what | median |",
        "| --- | --- |",
        f"| latency, one client: p50, p99 | {figures['http_1_p50_ms']:.1f} ms, {figures['http_1_p99_ms']:.1f} ms |",
        f"| latency at 70 % load: p50, p90, p99, max | {figures['load70_p50_ms']:.1f}, {figures['load70_p90_ms']:.1f}, "
        f"{figures['load70_p99_ms']:.1f}, {figures['load70_max_ms']:.1f} ms |",
        f"| processor time a picture: engine, decoding | {figures['engine_cpu_ms']:.1f} ms, "
        f"{figures['decode_cpu_ms']:.1f} ms |",
        f"| processor time a picture: server, beyond those two | {figures['http_4_cpu_ms']:.1f} ms, "
        f"{figures['added_cpu_ms']:.1f} ms |",
        f"| processor time a picture: the load generator's own | {figures['http_4_client_cpu_ms']:.1f} ms |",
        f"| resident memory after the load, at its peak | {figures['resident_mb']:.0f} MB, "
        f"{figures['resident_peak_mb']:.0f} MB |",
        f"| start to ready | {figures['seconds_to_ready']:.2f} s |",
    ]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10)
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
