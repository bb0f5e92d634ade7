"""A storage of Prow builds that costs next to nothing to ask: `python benchmarks/prow_storage.py LATENCY_MS`.

Prints its address. One job of 5,000 snowflakes (one an hour) and one of 4 builds with logs of 256 MB.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from bisect import bisect_left
from urllib.parse import parse_qs, unquote, urlsplit

EPOCH_MS = 1288834974657
NOW = int(time.time() * 1000)
IDS = sorted(str(((NOW - hour * 3_600_000) - EPOCH_MS) << 22 | 1 << 12) for hour in range(5000))
JOB, LOGS = "logs/periodic-many/", "logs/periodic-logs/"
ENTRIES = ("build-log.txt", "finished.json", "podinfo.json", "prowjob.json", "started.json")
LINE = b"I1120 10:00:00.000000       1 controller.go:127] reconciled the object, nothing was left to do here today\n"
PIECE = LINE * ((1 << 20) // len(LINE))
LOG_BYTES = len(PIECE) * 256
asked = 0


def listing(query: dict[str, str]) -> dict[str, object]:
    prefix = query["prefix"]
    if prefix == JOB:
        low, high = (query.get(name, "").removeprefix(JOB) for name in ("startOffset", "endOffset"))
        ids = IDS[bisect_left(IDS, low) : bisect_left(IDS, high) if high else None]
        after = query.get("pageToken", "")
        ids = ids[bisect_left(ids, after) :] if after else ids
        token = {"nextPageToken": ids[1000]} if len(ids) > 1000 else {}
        return {"prefixes": [f"{JOB}{one}/" for one in ids[:1000]], **token}
    if prefix == LOGS:
        return {"prefixes": [f"{LOGS}{one}/" for one in IDS[-4:]]} if not query.get("endOffset") else {}
    names = ENTRIES if not prefix.endswith("artifacts/") else ("junit.xml",)
    items = [
        {"name": prefix + name, "size": "1000", "generation": "1", "updated": "2026-11-20T10:00:00Z"} for name in names
    ]
    return {"items": items, "prefixes": [f"{prefix}artifacts/"]}


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, latency: float) -> None:
    global asked
    try:
        while line := await reader.readline():
            while (await reader.readline()) not in (b"\r\n", b""):
                pass
            split = urlsplit(line.split()[1].decode())
            if split.path == "/asked":
                body = str(asked).encode()
                asked = 0
            else:
                asked += 1
                if latency:
                    await asyncio.sleep(latency)
                if "alt=media" in split.query:
                    await send_log(writer, unquote(split.path))
                    continue
                query = {name: values[0] for name, values in parse_qs(split.query).items()}
                body = json.dumps(listing(query)).encode()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body))
            writer.write(body)
            await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def send_log(writer: asyncio.StreamWriter, path: str) -> None:
    if not path.endswith("build-log.txt"):
        build, name = path.rpartition("/o/")[2].split("/")[-2:]
        began = ((int(build) >> 22) + EPOCH_MS) // 1000 if build.isdigit() else 0
        ended = {"timestamp": began + 600, "passed": True, "result": "SUCCESS"}
        body = json.dumps({"timestamp": began} if name == "started.json" else ended).encode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        return
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % LOG_BYTES)
    for _ in range(256):
        writer.write(PIECE)
        await writer.drain()


async def main(latency: float) -> None:
    server = await asyncio.start_server(lambda reader, writer: serve(reader, writer, latency), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) / 1000 if len(sys.argv) > 1 else 0.0))
