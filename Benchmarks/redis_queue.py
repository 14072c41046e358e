#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Nereid: a vision model server.
"""Measures what a job costs Redis: its processor time, its commands, and the bytes on its network.

Starts a redis-server, and plays a gateway and workers that do what those of Nereid do, command by command and with the
scripts of Sources/NereidJobs/Redis, only without a model. Needs redis-server and Python, nothing else.
"""

import argparse
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

SOURCES = Path(__file__).resolve().parent.parent / "Sources/NereidJobs/Redis"


def script(file, name):
    """A Lua script as the Swift source has it: a literal, and the names of others before it."""
    text = (SOURCES / file).read_text()
    declaration = re.search(rf'static let {name} =\s*((?:[\w.]+ \+ )*)"""\n(.*?)\n( *)"""', text, re.S)
    before, lines, indentation = declaration.groups()
    parts = []
    for part in re.findall(r"([\w.]+) \+", before):
        owner = "Queue/QueueScripts.swift" if part.startswith("QueueScripts.") else file
        parts.append(script(owner, part.split(".")[-1]))
    own = "\n".join(line[len(indentation):] for line in lines.split("\n"))
    # A literal that others build on ends with an empty line, and so with a line break.
    return "".join(parts) + own


class Redis:
    """One connection: commands out, replies back, as RESP has them."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb", buffering=1 << 20)

    def __call__(self, *commands):
        """Sends commands in one go; the reply to the last."""
        pieces = []
        for command in commands:
            pieces.append(b"*%d\r\n" % len(command))
            for word in command:
                word = word if isinstance(word, bytes) else str(word).encode()
                pieces += [b"$%d\r\n" % len(word), word, b"\r\n"]
        self.socket.sendall(b"".join(pieces))
        return [self.reply() for _ in commands][-1]

    def reply(self):
        line = self.file.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return None if rest == b"-1" else [self.reply() for _ in range(int(rest))]
        raise RuntimeError(line)

    def info(self):
        lines = self(["INFO", "everything"]).decode().split("\r\n")
        return dict(line.split(":", 1) for line in lines if ":" in line)


class Server:
    """A redis-server of its own, without files or with a log of all that is written."""

    def __init__(self, appends):
        self.folder = tempfile.TemporaryDirectory()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        words = ["redis-server", "--port", self.port, "--bind", "127.0.0.1", "--save", "", "--dir", self.folder.name]
        if appends:
            words += ["--appendonly", "yes"]
        self.process = subprocess.Popen([str(word) for word in words], stdout=subprocess.DEVNULL)
        while True:
            try:
                self.redis = Redis(self.port)
                return
            except OSError:
                time.sleep(0.01)

    def end(self):
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()


class Costs:
    """What Redis did between two moments."""

    def __init__(self, redis):
        self.redis, self.before = redis, redis.info()

    def end(self):
        before, after = self.before, self.redis.info()
        self.user, self.system = (
            float(after[f"used_cpu_{kind}"]) - float(before[f"used_cpu_{kind}"]) for kind in ("user", "sys")
        )
        self.received, self.sent = (
            int(after[f"total_net_{way}_bytes"]) - int(before[f"total_net_{way}_bytes"]) for way in ("input", "output")
        )
        self.calls = {}
        for name, text in after.items():
            if name.startswith("cmdstat_"):
                new = dict(part.split("=") for part in text.split(","))
                old = dict(part.split("=") for part in before.get(name, "calls=0,usec=0").split(","))
                calls = int(new["calls"]) - int(old["calls"])
                if calls:
                    self.calls[name[8:]] = (calls, int(new["usec"]) - int(old["usec"]))
        return self


STREAMS = {
    "interactive": ("nereid:jobs:m", "nereid:bytes:m"),
    "bulk": ("nereid:bulk:m", "nereid:bulk-bytes:m"),
}
FINISH = script("Queue/QueueScripts.swift", "finish")
ADD = script("Queue/QueueScripts.swift", "add")
ACCEPT = script("Bulk/BulkScripts.swift", "accept")


def work(port, name, answer, stop):
    """A hand of a worker: RedisWorker+Taking.swift and RedisWorker+Answering.swift, without a model."""
    redis = Redis(port)
    read = ["XREADGROUP", "GROUP", "workers", name, "COUNT", 1]
    interactive, bulk = STREAMS["interactive"][0], STREAMS["bulk"][0]
    while not stop.is_set():
        found = redis(read + ["STREAMS", interactive, ">"])
        found = found or redis(read + ["BLOCK", 500, "STREAMS", interactive, bulk, ">", ">"])
        # What came of both lanes at once: the interactive one first.
        for stream, entries in found or []:
            counter = dict(STREAMS.values())[stream.decode()]
            for entry, words in entries:
                job = dict(zip(words[::2], words[1::2]))
                record = job.get(b"record", b"")
                questions = [["TIME"]] + ([["EXISTS", record]] if record else [])
                redis(*questions, ["GET", job[b"picture_key"]])
                redis(
                    ["EVAL", FINISH, 3, stream, counter, job[b"picture_key"], entry, job[b"bytes"], job[b"job"], answer,
                     120000, 0, job.get(b"reply", b""), record]
                )


def interactive_jobs(port, count, window, picture):
    """A gateway: RedisQueue.swift and RedisQueue+Service.swift. So many jobs wait for their answers at a time."""
    free = threading.Semaphore(window)

    def receive():
        redis, last, read, seen = Redis(port), "0", [], 0
        while seen < count:
            removal = [["XDEL", "nereid:answers:g"] + read] if read else []
            found = redis(*removal, ["XREAD", "COUNT", 64, "BLOCK", 5000, "STREAMS", "nereid:answers:g", last])
            read = [entry for entry, _ in found[0][1]] if found else []
            last = read[-1] if read else last
            seen += len(read)
            for _ in read:
                free.release()

    receiver = threading.Thread(target=receive)
    receiver.start()
    redis = Redis(port)
    stream, counter = STREAMS["interactive"]
    for number in range(count):
        free.acquire()
        key = f"nereid:picture:g-{number}"
        redis(
            ["SET", key, picture, "PX", 150000],
            ["EVAL", ADD, 3, stream, counter, key, 1000, 1 << 40, len(picture), "job", f"g-{number}", "request", number,
             "options", "{}", "bytes", len(picture), "timeout_ms", 30000, "reply", "nereid:answers:g", "picture_key", key],
        )
    receiver.join()


def accept(redis, count, picture, identity):
    """Accepts a bulk job as RedisJobStore+Accepting.swift does; how long the last step held Redis, in seconds."""
    for number in range(count):
        redis(["SET", f"nereid:picture:{identity}:{number}", picture, "PX", 900000])
    stream, counter = STREAMS["bulk"]
    record = f"nereid:job:{identity}"
    keys = [stream, counter, record, "nereid:bulk-jobs", "nereid:bulk-models", "nereid:order:"]
    calls = lambda: dict(part.split("=") for part in redis.info().get("cmdstat_eval", "usec=0").split(","))
    before = int(calls()["usec"])
    reply = redis(
        ["EVAL", ACCEPT, len(keys), *keys, 1 << 40, count * len(picture), identity, "m", "nereid", int(time.time() * 1000),
         86400000, 30 * 86400000, "{}", "", ""] + [len(picture)] * count
    )
    assert reply[0] == b"accepted", reply
    return (int(calls()["usec"]) - before) / 1e6


def bulk_jobs(redis, count, identity):
    """Waits as a gateway does until a job is done."""
    last = "0-0"
    while int(redis(["HGET", f"nereid:job:{identity}", "done"])) < count:
        found = redis(["XREAD", "COUNT", 256, "BLOCK", 5000, "STREAMS", "nereid:changes", last])
        last = found[0][1][-1][0] if found else last


def report(title, costs, count, unit="job"):
    print(f"\n### {title}\n")
    print(f"Redis' processor time: {(costs.user + costs.system) / count * 1e6:.0f} µs a {unit} "
          f"({costs.user / count * 1e6:.0f} user, {costs.system / count * 1e6:.0f} system). "
          f"Network: {costs.received / count:.0f} bytes in, {costs.sent / count:.0f} out.\n")
    print(f"| command | calls a {unit} | µs a {unit} |\n|---|---|---|")
    for name, (calls, spent) in sorted(costs.calls.items(), key=lambda item: -item[1][1]):
        if name != "info":
            print(f"| {name} | {calls / count:.2f} | {spent / count:.1f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--bytes", type=int, default=400_000, help="of a picture")
    parser.add_argument("--answer", type=int, default=1500, help="bytes of an answer")
    parser.add_argument("--hands", type=int, default=4, help="of workers")
    parser.add_argument("--appendonly", action="store_true", help="let Redis log all that is written")
    parser.add_argument("--accept", type=int, default=10_000, help="pictures of a job whose acceptance is timed")
    arguments = parser.parse_args()
    if shutil.which("redis-server") is None:
        parser.error("redis-server is not installed")
    server = Server(arguments.appendonly)
    stop = threading.Event()
    try:
        redis = server.redis
        picture, answer = os.urandom(arguments.bytes), b"{" + b"x" * (arguments.answer - 2) + b"}"
        for stream, _ in STREAMS.values():
            redis(["XGROUP", "CREATE", stream, "workers", 0, "MKSTREAM"])

        duration = accept(redis, arguments.accept, b"x", "0")
        print(f"Redis {redis.info()['redis_version']}, pictures of {arguments.bytes} bytes, answers of {arguments.answer}, "
              f"{'with' if arguments.appendonly else 'without'} a file.")
        print(f"The last step of accepting {arguments.accept} pictures holds Redis for {duration * 1000:.0f} ms.")
        redis(["FLUSHALL"])
        for stream, _ in STREAMS.values():
            redis(["XGROUP", "CREATE", stream, "workers", 0, "MKSTREAM"])

        hands = [
            threading.Thread(target=work, args=(server.port, f"w{number}", answer, stop))
            for number in range(arguments.hands)
        ]
        for hand in hands:
            hand.start()
        interactive_jobs(server.port, 100, arguments.hands, picture)
        costs = Costs(redis)
        interactive_jobs(server.port, arguments.jobs, arguments.hands, picture)
        report("An interactive job", costs.end(), arguments.jobs)

        costs = Costs(redis)
        accept(redis, arguments.jobs, picture, "1")
        bulk_jobs(Redis(server.port), arguments.jobs, "1")
        report("A picture of a bulk job", costs.end(), arguments.jobs, "picture")
        stop.set()
        for hand in hands:
            hand.join()

        # RedisWorker.announce and RedisQueue.followWorkers, of 100 workers.
        names = [f"w{number}" for number in range(100)]
        redis(["SET", "nereid:description:d", b"x" * 20_000])
        say = b"x" * 180
        costs = Costs(redis)
        for _ in range(100):
            for name in names:
                redis(["PEXPIRE", "nereid:description:d", 60000], ["SADD", "nereid:workers", name],
                      ["SET", f"nereid:worker:{name}", say, "PX", 1200])
        report("A worker's pulse", costs.end(), 10_000, "pulse")
        costs = Costs(redis)
        for _ in range(1000):
            redis(["SMEMBERS", "nereid:workers"])
            redis(["MGET"] + [f"nereid:worker:{name}" for name in names])
        report("A gateway's look at 100 workers", costs.end(), 1000, "look")
    finally:
        stop.set()
        server.end()


if __name__ == "__main__":
    main()
