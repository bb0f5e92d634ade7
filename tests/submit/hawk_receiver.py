"""A server that takes signed job collections, checked by mohawk's Receiver as Treeherder's was until 2018."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import mohawk

CLIENT, KEY = "submitter", "the-key-of-the-tests"


class HawkReceiver:
    """`jobs`: what is stored, by guid. `ahead`: seconds that its clock is ahead of ours. `drop`: guids that it accepts
    and does not store. `answers`: statuses to give instead, one a post. `tamper`: changes what it signs."""

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.posts: list[int] = []
        self.problems: list[str] = []
        self.ahead = 0
        self.ignores_in = False  # answers a filter that it does not know as if there were none, as Treeherder does
        self.asked: list[dict[str, str]] = []
        self.drop: set[str] = set()
        self.poison: set[str] = set()
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.headers: list[str] = []
        self.alter: Callable[[bytes], bytes] = lambda body: body
        self.alter_answer: Callable[[bytes], bytes] = lambda body: body
        self.repositories = {"autoland"}
        self._nonces: set[tuple[str, str, str]] = set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def seen_nonce(self, who: str, nonce: str, stamp: str) -> bool:
        key = (who, nonce, stamp)
        known = key in self._nonces
        self._nonces.add(key)
        return known

    def receive(self, header: str, url: str, body: bytes) -> mohawk.Receiver:
        return mohawk.Receiver(
            self._lookup,
            header,
            url,
            "POST",
            content=body,
            content_type="application/json",
            seen_nonce=self.seen_nonce,
            localtime_offset_in_seconds=self.ahead,
        )

    @staticmethod
    def _lookup(client: str) -> dict[str, str]:
        if client != CLIENT:
            raise mohawk.exc.CredentialsLookupError("unknown")
        return {"id": CLIENT, "key": KEY, "algorithm": "sha256"}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None: ...

            def _send(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
                body = value if isinstance(value, bytes) else json.dumps(value).encode()
                self.send_response(status)
                for name, text in {"content-type": "application/json", **(headers or {})}.items():
                    self.send_header(name, text)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self) -> None:
                split = urlsplit(self.path)
                query = {name: values[0] for name, values in parse_qs(split.query).items()}
                receiver.asked.append(query)
                wanted = query.get("job_guid", "").split(",")
                if "job_guid__in" in query:
                    several = query["job_guid__in"].split(",")
                    wanted = list(receiver.jobs)[:10] if receiver.ignores_in else several
                if split.path.split("/")[3] not in receiver.repositories:
                    self._send(404, {"detail": "No project"})
                    return
                found = [receiver.jobs[guid] for guid in wanted if guid in receiver.jobs]
                self._send(200, {"results": found, "meta": {"count": len(found)}})

            def do_POST(self) -> None:
                body = receiver.alter(self.rfile.read(int(self.headers["content-length"])))
                header = self.headers.get("authorization", "")
                if receiver.answers:
                    status, extra = receiver.answers.pop(0)
                    self._send(status, {"detail": "not now"}, extra)
                    return
                if not header:
                    self._send(401, {"detail": "who?"}, {"www-authenticate": "Hawk"})
                    return
                receiver.headers.append(header)
                try:
                    checked = receiver.receive(header, receiver.url + self.path, body)
                except mohawk.exc.TokenExpired as late:
                    receiver.problems.append(type(late).__name__)
                    self._send(401, {"detail": "stale"}, {"www-authenticate": late.www_authenticate})
                    return
                except mohawk.exc.HawkFail as wrong:
                    receiver.problems.append(type(wrong).__name__)
                    self._send(401, {"detail": type(wrong).__name__}, {"www-authenticate": "Hawk"})
                    return
                self._store(body, checked)

            def _store(self, body: bytes, checked: mohawk.Receiver) -> None:
                project = urlsplit(self.path).path.split("/")[3]
                if project not in receiver.repositories:
                    self._send(404, {"detail": "No project by that name"})
                    return
                entries = json.loads(body)
                receiver.posts.append(len(entries))
                if any(entry["job"]["job_guid"] in receiver.poison for entry in entries):
                    self._send(500, {"detail": "ValueError"})
                    return
                for entry in entries:
                    job = entry["job"]
                    if job["job_guid"] not in receiver.drop:
                        receiver.jobs[job["job_guid"]] = _as_listed(entry)
                answer = b'{"message": "Job successfully updated"}'
                signature = checked.respond(content=answer, content_type="application/json")
                self._send(200, receiver.alter_answer(answer), {"server-authorization": signature})

        return Handler


def _as_listed(entry: dict[str, Any]) -> dict[str, Any]:
    job = entry["job"]
    return {
        "job_guid": job["job_guid"],
        "state": job["state"],
        "result": job.get("result", "unknown"),
        "job_group_symbol": job["group_symbol"],
        "job_type_symbol": job["job_symbol"],
        "platform": job["build_platform"]["platform"],
        "platform_option": " ".join(sorted(job.get("option_collection", {}))),
        "tier": job.get("tier", 1),
        "start_timestamp": job.get("start_timestamp", 0),
        "end_timestamp": job.get("end_timestamp", 0),
    }
