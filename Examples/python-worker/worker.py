# SPDX-License-Identifier: Apache-2.0
# Nereid: a vision model server.
"""Serves a model in Python to the gateways of a queue in Redis. docs/queue.md describes each step."""
import io, json, os, pathlib, signal, socket, threading, uuid

import redis
from PIL import Image, ImageOps, UnidentifiedImageError

import spots

MODEL, NAME = os.environ.get("MODEL", "spots"), f"{socket.gethostname()}-{uuid.uuid4().hex}"
JOBS, BULK = f"nereid:jobs:{MODEL}", f"nereid:bulk:{MODEL}"
BYTES = {JOBS: f"nereid:bytes:{MODEL}", BULK: f"nereid:bulk-bytes:{MODEL}"}
FINISH = pathlib.Path(__file__).with_name("finish.lua").read_text()
db = redis.Redis.from_url(os.environ.get("QUEUE", "redis://localhost:6379/0"), protocol=2)
held, stopping, gone = [], threading.Event(), threading.Event()  # what this worker has; the first of it is at work


def failure(code, detail): return {"error": {"code": code, "detail": detail}}

def answer(stream, entry, fields):
    (seconds, micros), added = db.time(), int(entry.split(b"-")[0])
    if seconds * 1000 + micros // 1000 >= added + int(fields.get(b"timeout_ms", 1 << 50)):
        return failure("deadline_passed", "the requester waits no longer")
    if b"record" in fields and not db.exists(fields[b"record"]):
        return failure("deadline_passed", "the bulk job was deleted")
    if any(held["times_delivered"] > 3 for held in db.xpending_range(stream, "workers", entry, entry, 1)):
        return failure("failed", "3 workers have ended while they had this picture")
    data = fields[b"picture"] if b"picture" in fields else db.get(fields[b"picture_key"])
    if data is None: return failure("failed", "the picture is no longer in Redis")
    picture = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    found = spots.detect(picture, **json.loads(fields.get(b"options", b"{}")))
    return {"task": "detect", "image": {"width": picture.width, "height": picture.height}, "detections": found}

def finish(stream, entry, fields):
    try: result = answer(stream, entry, fields)
    except redis.RedisError: raise
    except UnidentifiedImageError as error: result = failure("not_a_picture", str(error))
    except Image.DecompressionBombError as error: result = failure("picture_too_large", str(error))
    except OSError as error: result = failure("damaged_picture", str(error))
    except Exception as error: result = failure("failed", repr(error))
    job = fields.get(b"job", b"")
    db.eval(FINISH, 3, stream, BYTES[stream], fields.get(b"picture_key", b"nereid:picture:" + job), entry,
            fields.get(b"bytes", 0), job, json.dumps(result), 120_000, int("error" in result),
            fields.get(b"reply", b""), fields.get(b"record", b""))

def read(block, *streams):
    """New jobs, at most one of each stream."""
    try: found = db.xreadgroup("workers", NAME, {stream: ">" for stream in streams}, count=1, block=block)
    except redis.ResponseError as error:
        if not str(error).startswith("NOGROUP"): raise
        make_groups()
        found = []
    return [(stream.decode(), *entry) for stream, entries in found for entry in entries]

def make_groups():
    for stream in (JOBS, BULK):
        try: db.xgroup_create(stream, "workers", id="0", mkstream=True)
        except redis.ResponseError as error:
            if not str(error).startswith("BUSYGROUP"): raise

def left():
    """At most one job of each stream whose worker has said nothing of it for 5 seconds."""
    found = [(stream, db.xautoclaim(stream, "workers", NAME, 5000, count=1)[1]) for stream in (JOBS, BULK)]
    return [(stream, *entry) for stream, entries in found for entry in entries if entry[1]]

def speak():
    """Says every 0.3 seconds that this worker is there, and that it still has its jobs."""
    model = {"name": MODEL, "task": "detect", "labels": spots.LABELS, "engine": "Pillow", "device": "cpu"}
    about = {"worker": NAME, "host": socket.gethostname(), "software": "python-worker 1.0", "models": [model]}
    while not gone.wait(0.3):
        try:
            model["running"] = len(held)
            db.sadd("nereid:workers", NAME)
            db.set(f"nereid:worker:{NAME}", json.dumps(about), px=1200)
            for stream, entry, _ in list(held): db.xclaim(stream, "workers", NAME, 0, [entry], idle=0, justid=True)
        except redis.RedisError as error: print(f"worker: {error}", flush=True)

if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGINT): signal.signal(number, lambda *_: stopping.set())
    (speaker := threading.Thread(target=speak)).start()
    while held or not stopping.is_set():
        try:
            if not stopping.is_set(): held[:] = read(None, JOBS) + held or read(1000, JOBS, BULK) or left()
            if held:
                finish(*held[0])
                del held[0]
        except redis.RedisError as error:
            print(f"worker: {error}", flush=True)
            stopping.wait(0.5)
    gone.set()
    speaker.join()
    try: db.pipeline().srem("nereid:workers", NAME).delete(f"nereid:worker:{NAME}").execute()
    except redis.RedisError: pass  # it is gone after 1.2 seconds anyway
