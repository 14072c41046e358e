#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Nereid: a vision model server.
"""Measures what the queue in Redis adds to a request, and what a second worker brings.

    make build
    python3 Benchmarks/gateway.py MODEL PICTURE.jpg

Needs redis-server. One run starts Redis, a server with its queue within the process, and a gateway with one worker, all with
one-thread instances, and asks the two by turns, one request at a time: what the one takes longer than the other is the
queue's, without the times of decoding, inference and what follows, which the answers name. Then the gateway is asked by six clients, with one worker and with two, by turns. Prints Markdown; all numbers
are of the same run.
"""

import argparse
import concurrent.futures
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """A program that is stopped in the end."""

    def __init__(self, folder, *arguments):
        self.log = folder / f"{len(list(folder.iterdir()))}.log"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("NEREID_")}
        environment |= {"NEREID_JOBS": "off"}
        self.process = subprocess.Popen(
            [str(argument) for argument in arguments], cwd=ROOT, env=environment, stderr=open(self.log, "w"), stdout=subprocess.DEVNULL
        )

    def port(self):
        for _ in range(600):
            found = re.search(r"(?:page|health)=http://localhost:(\d+)", self.log.read_text())
            if found:
                return int(found[1])
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        sys.exit(f"a server did not start:\n{self.log.read_text()}")

    def seconds(self):
        """Processor time so far."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)


class Client:
    """One connection that is kept."""

    def __init__(self, port, model, picture):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.path, self.picture = f"/v1/models/{model}/predict", picture

    def ask(self):
        """Milliseconds until the answer, and its stages."""
        begun = time.perf_counter()
        self.connection.request("POST", self.path, self.picture, {"Content-Type": "image/jpeg"})
        answer = self.connection.getresponse()
        body = answer.read()
        took = (time.perf_counter() - begun) * 1000
        if answer.status != 200:
            sys.exit(f"{answer.status}: {body.decode()}")
        return took, json.loads(body)["timing"]


def awaits(port, path, condition):
    for _ in range(600):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", path)
            answer = connection.getresponse()
            if condition(answer.status, answer.read()):
                return
        except OSError:
            pass
        time.sleep(0.05)
    sys.exit(f"waited in vain for {path}")


def throughput(port, model, picture, seconds, clients=6):
    """Pictures a second that clients at the same time get answered; what is answered before and after the measured time does not
    count."""
    begin = time.perf_counter() + 1
    end = begin + seconds

    def work(_):
        client, count = Client(port, model, picture), 0
        while time.perf_counter() < end:
            client.ask()
            count += begin <= time.perf_counter() < end
        return count

    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        return sum(pool.map(work, range(clients))) / seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="the model's file")
    parser.add_argument("picture")
    parser.add_argument("--program", default=ROOT / ".build/release/nereid")
    parser.add_argument("--append-only", choices=("yes", "no"), default="yes", help="whether Redis writes down what it holds")
    parser.add_argument("--requests", type=int, default=300, help="of each kind, for the latency")
    parser.add_argument("--rounds", type=int, default=5, help="for the throughput")
    parser.add_argument("--seconds", type=float, default=5, help="of each round")
    arguments = parser.parse_args()
    picture = pathlib.Path(arguments.picture).read_bytes()
    model, name = pathlib.Path(arguments.model).resolve(), "measured"
    run = [arguments.program]
    engine = ["--instances", 1, "--threads", 1, "--port", 0]

    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        redis_port = free_port()
        redis = Process(
            folder, "redis-server", "--port", redis_port, "--bind", "127.0.0.1", "--save", "", "--appendonly", arguments.append_only,
            "--maxmemory-policy", "noeviction", "--dir", folder,
        )
        queue = ["--queue", f"redis://127.0.0.1:{redis_port}/0"]
        processes = [redis]
        try:
            embedded = Process(folder, *run, "serve", f"{name}={model}", *engine)
            gateway = Process(folder, *run, "serve", *queue, "--no-workers", "--port", 0)
            workers = [Process(folder, *run, "worker", f"{name}={model}", *queue, *engine)]
            processes += [embedded, gateway, *workers]
            for process in (embedded, gateway):
                awaits(process.port(), "/health/ready", lambda status, _: status == 200)

            sides = {"embedded": Client(embedded.port(), name, picture), "Redis": Client(gateway.port(), name, picture)}
            for client in sides.values():
                for _ in range(20):
                    client.ask()
            before = {process: process.seconds() for process in (redis, gateway)}
            times = {side: [] for side in sides}
            stages = {side: [] for side in sides}
            for number in range(arguments.requests):
                for side in sorted(sides, reverse=number % 2 == 0):
                    took, timing = sides[side].ask()
                    times[side].append(took)
                    stages[side].append(timing)
            spent = {process: (process.seconds() - before[process]) / arguments.requests * 1000 for process in before}

            print(f"{len(picture)} bytes a picture, {arguments.requests} requests of each kind by turns\n")
            print("| milliseconds, medians | in the process | through Redis | added |\n|---|---:|---:|---:|")
            rows = {"request": {side: statistics.median(values) for side, values in times.items()}}
            for stage in ("queue_ms", "decode_ms", "inference_ms", "postprocess_ms"):
                rows[stage] = {side: statistics.median(timing[stage] for timing in values) for side, values in stages.items()}
            rest = {side: [took - sum(timing.values()) for took, timing in zip(times[side], stages[side])] for side in sides}
            rows["rest (HTTP, answer's way)"] = {side: statistics.median(values) for side, values in rest.items()}
            for row, values in rows.items():
                print(f"| {row} | {values['embedded']:.2f} | {values['Redis']:.2f} | {values['Redis'] - values['embedded']:.2f} |")
            # The model's own work takes tens of milliseconds, and differs by more between two processes than what is measured.
            outside = {side: [left + timing["queue_ms"] for left, timing in zip(rest[side], stages[side])] for side in sides}
            added = statistics.median(b - a for a, b in zip(outside["embedded"], outside["Redis"]))
            whole = statistics.median(b - a for a, b in zip(times["embedded"], times["Redis"]))
            print(f"\nadded, median of the pairs: {added:.2f} ms beside decoding, inference and what follows; {whole:.2f} ms of all")
            print(f"processor time a request: gateway {spent[gateway]:.2f} ms, Redis {spent[redis]:.2f} ms\n")

            if not arguments.rounds:
                return
            one, two = [], []
            for _ in range(arguments.rounds):
                one.append(throughput(gateway.port(), name, picture, arguments.seconds))
                second = Process(folder, *run, "worker", f"{name}={model}", *queue, *engine)
                second.port()
                awaits(
                    gateway.port(), f"/v1/models/{name}",
                    lambda status, body: status == 200 and len(json.loads(body)["workers"]) == 2,
                )
                two.append(throughput(gateway.port(), name, picture, arguments.seconds))
                second.stop()
                awaits(
                    gateway.port(), f"/v1/models/{name}",
                    lambda status, body: status == 200 and len(json.loads(body)["workers"]) == 1,
                )
            ratio = statistics.median(b / a for a, b in zip(one, two))
            print(f"throughput: {statistics.median(one):.1f} images/s with one worker, {statistics.median(two):.1f} with two;")
            print(f"ratio {ratio:.2f} (median of {arguments.rounds} rounds of {arguments.seconds:g} s)")
        finally:
            for process in reversed(processes):
                try:
                    process.stop()
                except subprocess.TimeoutExpired:
                    process.process.kill()


if __name__ == "__main__":
    main()
