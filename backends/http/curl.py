"""Downloads over libcurl: any number of requests at once in one thread, each with a receiver that it calls.

libcurl does names, connections, TLS, proxies, the framing of HTTP/1.1 and HTTP/2. Which addresses may be asked, who we
are, redirects, how patient we are and what errors are called is the same as for requests over httpx. pycurl is
optional (extra `fast`) and imported when the first download starts.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import queue
import re
import select
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from backends.foreground import give_way
from backends.http.downloads import ERROR_BODY, DownloaderSettings, ResponseHead, is_accepted, request_headers
from backends.http.errors import (
    HttpError,
    UnexpectedResponseError,
    from_response,
    incomplete,
    offline,
    short_url_parts,
)
from backends.http.httpx_loader import httpx
from backends.http.policies import Identity, Mode
from backends.http.pycurl_loader import load_pycurl
from backends.http.sender import MOST_REDIRECTS, REDIRECTS, USER_AGENT, decode_header, too_many_redirects, translate
from backends.http.transport import KEEP_ALIVE, Meter, Timeouts, clock, proxy_of
from backends.http.urls import origin_of, parse_url, redirect_target

_MANY_HEAD_BYTES = 256 << 10  # libcurl itself takes 300 KB and 5,000 lines, interim (1xx) responses included
_BUFFER = 512 << 10  # bytes that libcurl receives at once
_LOOK_EVERY = 0.1  # seconds between two looks for servers that are too slow
_STREAMS = 16  # files on one connection of HTTP/2
_TOO_LARGE = 100  # CURLE_TOO_LARGE, which pycurl does not name: more or longer headers than libcurl takes
# Of poll() to CSELECT_IN (1) and _OUT (2); what is broken shows when it is read.
_READY = {select.POLLIN: 1, select.POLLOUT: 2, select.POLLIN | select.POLLOUT: 3}
_ABORT = -1  # what a callback returns to end its transfer
# Addresses that stay as they are when they are parsed: only their origin need be looked at.
_PLAIN_URL = re.compile(
    r"(https?://[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]{1,5})?)"
    r"(?:/(?!\.)(?:[A-Za-z0-9._~!$&()*+,;=:@-]++|%[0-9A-Fa-f]{2})*+)++"
    r"(?:\?(?:[A-Za-z0-9._~!$&()*+,;=:@/-]++|%[0-9A-Fa-f]{2})*+)?"
)


class Receiver(Protocol):
    """Who takes a response. Called in the thread of `CurlClient.run_once`.

    What `on_head` raises ends the request, and `on_end` gets it.
    """

    def on_head(self, head: ResponseHead) -> Callable[[bytes], object]:
        """Returns what takes the chunks of the body; what it raises ends the request, and `on_end` gets it."""

    def on_end(self, error: Exception | None) -> None:
        """The response is complete (None), or why it is not. Not called after `CurlClient.cancel`."""


class SerialThread:
    """A thread, started when there is work, that does it in the order of `do`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def do(self, work: Callable[[], None]) -> None:
        """`work` must not raise."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        self._work.put(work)

    def end(self) -> None:
        """The thread ends when all is done; nobody waits for it."""
        self._work.put(None)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()


@dataclass(frozen=True)
class _Origin:
    """What holds for all addresses of one server."""

    name: str
    proxy: str
    identity: Identity | None


@dataclass(eq=False)
class CurlRequest:
    """A file that is requested, redirects included. `first`: the address that was asked for to begin with."""

    receiver: Receiver
    first: str
    address: str
    origin: _Origin
    offset: int
    headers: list[bytes]
    hops: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    is_ours: bool = True  # whether no other server has come between: then we say who we are
    is_paused: bool = False
    is_over: bool = False
    slot: _Slot | None = None


class _Slot:
    """A handle of libcurl and the request that it serves."""

    def __init__(self, client: CurlClient) -> None:
        self.lines: list[bytes] = []  # of the head, and of those before it (1xx, a proxy's)
        self.handle = client.make_handle(self.lines.append, self.on_piece)
        self._pause: int = client.pause_code
        self._connected_after = client.connected_code
        self.headers_set: list[bytes] = []
        self.proxy_set = ""

    def begin(self, request: CurlRequest) -> None:
        """For the next address of a request."""
        self.request = request
        self.problem: Exception | None = None  # what was raised in a callback
        self.lines.clear()
        self.received = self.seen = 0  # bytes of the body, and at the last look
        self.status = 0  # 0 until the head was read
        self.headers: Mapping[str, str] = {}
        self.take: Callable[[bytes], object] | None = None  # what takes the body, if it is wanted
        self.unwanted = bytearray()  # the body of an error or of a redirect
        self.is_old = False  # whether there was a look at it
        self.meter: Meter | None = None  # from the second look on
        self.is_body = False  # whether the meter knows that the headers are over
        self.heard_at = 0.0

    def on_piece(self, piece: bytes) -> int | None:
        """libcurl's write callback, with at most 16 KB. An exception that left it would be printed and forgotten."""
        request = self.request
        if request.is_paused:
            return self._pause  # it comes again
        try:
            if not self.status:
                self.read_head()
            self.received += len(piece)
            if self.take is not None:
                self.take(piece)
                return None
            self.unwanted += piece
            return None if len(self.unwanted) < ERROR_BODY else _ABORT
        except Exception as problem:
            self.problem = problem
            return _ABORT

    def read_head(self) -> None:
        """Reads the head that has come and decides what its body is."""
        request = self.request
        if not self.lines or self.lines[-1] not in (b"\r\n", b"\n"):  # for libcurl it is an empty response
            raise translate(httpx.RemoteProtocolError(""), _url_of(request))
        self.status, self.headers = _parse_head(self.lines)
        self.lines.clear()
        if self.redirect:
            return
        if is_accepted(self.status, self.headers, request.address, request.offset):
            head = ResponseHead(request.address, self.status, self.headers, tuple(request.hops))
            self.take = request.receiver.on_head(head)

    @property
    def redirect(self) -> str:
        """Where the response leads, "" if it is no redirect."""
        return self.headers.get("location", "") if self.status in REDIRECTS else ""

    def look(self, now: float, timeouts: Timeouts) -> None:
        """Raises `RequestTimeoutError` for a server that is silent or too slow; called every `_LOOK_EVERY` seconds."""
        received = self.received or len(self.lines)
        if not self.is_old:
            self.is_old = True  # most responses are over before the second look
        elif self.meter is None:
            if not self.handle.getinfo(self._connected_after):
                return  # there is no connection yet; libcurl has a limit for that
            self.meter = Meter(short_url_parts(self.request.address)[0], timeouts)
            self.heard_at = now
        elif received == self.seen and now - self.heard_at > timeouts.read:
            raise translate(httpx.ReadTimeout(""), _url_of(self.request))
        elif self.status and not self.is_body:
            self.is_body = True
            self.meter.end_headers()
        else:
            self.meter.end_read(received - self.seen)
        if received != self.seen:
            self.seen, self.heard_at = received, now
        if self.meter is not None:
            self.meter.begin_read(None)

    def resume(self) -> None:
        """The time of a pause does not count: the measuring begins again."""
        self.is_old = self.is_body = False
        self.meter = None


def _parse_head(lines: Sequence[bytes]) -> tuple[int, dict[str, str]]:
    """Status and headers of the last head in the lines that libcurl passed on, which it has checked."""
    text = decode_header(b"".join(lines))
    begin = max(text.rfind("\nHTTP/") + 1, 0)
    headers: dict[str, str] = {}
    first, *rest = text[begin:].split("\n")
    for line in rest:
        name, colon, value = line.partition(":")
        if colon:
            key, value = name.strip().lower(), value.strip()
            headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return int(first.split(None, 2)[1]), headers


class CurlClient:
    """Sends requests and calls their receivers while `run_once` runs. Used by one thread, but for `wake`, `call_soon`.

    `http2`: also speak HTTP/2 where a server has it: many small files need few connections then, but a big one is
    limited by what one connection brings.
    """

    def __init__(self, settings: DownloaderSettings, *, http2: bool = False) -> None:
        self._pycurl, reason = load_pycurl()
        if self._pycurl is None:
            raise RuntimeError(reason)
        self._settings = settings
        self._http2 = http2
        self.pause_code = self._pycurl.WRITEFUNC_PAUSE
        self.connected_code = self._pycurl.PRETRANSFER_TIME
        self._identities = {origin_of(parse_url(identity.origin)): identity for identity in settings.identities}
        self._origins: dict[str, _Origin] = {}
        self._plain_headers = self._header_lines(request_headers(0, None))
        self._helper = SerialThread("transfer-helper")
        self._slots: dict[Any, _Slot] = {}  # by their handles, while libcurl has those
        self._free: list[_Slot] = []
        self._calls: deque[Callable[[], None]] = deque()
        self._is_waiting = self._is_woken = False
        self.ready = 0  # how many servers had sent something when `run_once` looked
        self._due: float | None = None  # when libcurl wants to be called although no socket is ready
        self._look_at = 0.0
        self._poll = select.poll()  # a hundred descriptors at most: epoll would take three system calls for each file
        self._bell, self._ringer = socket.socketpair()
        self._bell.setblocking(False)
        self._ringer.setblocking(False)
        self._poll.register(self._bell, select.POLLIN)
        self._multi = self._make_multi()

    def request(self, url: str, receiver: Receiver, offset: int = 0, if_range: str | None = None) -> CurlRequest:
        """Requests a file from byte `offset` on, of the version that `if_range` names. Raises as `parse_url` does."""
        address, origin = self._check_address(url)
        if self._settings.mode is Mode.OFFLINE:
            raise offline(url)
        headers = self._plain_headers
        if offset:
            headers = self._header_lines(request_headers(offset, if_range))
            if any(line.splitlines() != [line] for line in headers):
                raise translate(httpx.LocalProtocolError(""), httpx.URL(address))
        request = CurlRequest(receiver, address, address, origin, offset, headers)
        self._send(request)
        return request

    def cancel(self, request: CurlRequest) -> None:
        """Ends the request; its receiver is not called any more. Not for use in a receiver."""
        request.is_over = True
        self._release(request)

    def pause(self, request: CurlRequest) -> None:
        """Takes no more of its body until `resume`; meanwhile the server waits, and so do the limits on its speed."""
        request.is_paused = True

    def resume(self, request: CurlRequest) -> None:
        request.is_paused = False
        if (slot := request.slot) is not None:
            slot.resume()
            slot.handle.pause(self._pycurl.PAUSE_CONT)

    def call_soon(self, work: Callable[[], None]) -> None:
        """`run_once` will call it. From any thread."""
        self._calls.append(work)
        if self._is_waiting:  # otherwise it looks before it waits
            self._is_waiting = False
            self._ring()

    def wake(self) -> None:
        """Ends the wait of `run_once`. From any thread; never blocks."""
        self._is_woken = True
        self._ring()

    def _ring(self) -> None:
        with contextlib.suppress(OSError):  # it rings already, or all is over
            self._ringer.send(b"!")

    def run_once(self, seconds: float) -> bool:
        """Waits for servers, at most that long, and passes on what they sent. Returns whether `wake` was called."""
        if self._due is not None:
            seconds = min(seconds, max(0.0, self._due - clock()))
        self._is_waiting = True
        if self._calls:
            seconds = 0.0
        found = self._poll.poll(1000 * (min(seconds, _LOOK_EVERY) if self._slots else seconds))
        self._is_waiting = False
        self.ready = len(found)
        for number, events in found:
            give_way()
            if number == self._bell.fileno():
                self._bell.recv(4096)
            else:
                self._multi.socket_action(number, _READY.get(events, self._pycurl.CSELECT_IN))
        now = clock()
        if self._due is not None and now >= self._due:
            self._due = None
            self._multi.socket_action(self._pycurl.SOCKET_TIMEOUT, 0)
        self._take_ended()
        for _ in range(len(self._calls)):
            self._calls.popleft()()
        if now >= self._look_at:
            self._look_at = now + _LOOK_EVERY
            self._look_at_slots(now)
        is_woken, self._is_woken = self._is_woken, False
        return is_woken

    def close(self) -> None:
        """Ends all requests without calling their receivers."""
        for slot in list(self._slots.values()):
            self.cancel(slot.request)
        for slot in self._free:
            slot.handle.close()
        self._multi.close()
        self._helper.end()
        self._bell.close()
        self._ringer.close()

    def make_handle(self, on_line: Callable[[bytes], None], on_piece: Callable[[bytes], int | None]) -> Any:
        curl, limits = self._pycurl, self._settings.timeouts
        handle = curl.Curl()
        for option, value in (
            (curl.NOSIGNAL, 1),
            (curl.BUFFERSIZE, _BUFFER),
            (curl.HTTP_VERSION, curl.CURL_HTTP_VERSION_2TLS if self._http2 else curl.CURL_HTTP_VERSION_1_1),
            (curl.FOLLOWLOCATION, 0),
            (curl.PATH_AS_IS, 1),
            (curl.PROTOCOLS, curl.PROTO_HTTP | curl.PROTO_HTTPS),
            (curl.CONNECTTIMEOUT_MS, max(1, int(limits.connect * 1000))),
            (curl.PROXY, ""),  # it would look into the environment, by rules of its own
            (curl.NOPROXY, ""),
            (curl.MAXAGE_CONN, int(KEEP_ALIVE)),
            (curl.HEADERFUNCTION, on_line),
            (curl.WRITEFUNCTION, on_piece),
            *self._trusted(),
        ):
            handle.setopt(option, value)
        return handle

    def _trusted(self) -> list[tuple[int, str | None]]:
        """Where the certificates are that we trust: as for httpx. A file is read once for all connections."""
        curl = self._pycurl
        file, directory = os.environ.get("SSL_CERT_FILE", ""), os.environ.get("SSL_CERT_DIR", "")
        if directory and not file:
            return [(curl.CAINFO, None), (curl.CAPATH, directory)]
        return [(curl.CAINFO, file or importlib.import_module("certifi").where()), (curl.CAPATH, None)]

    def _make_multi(self) -> Any:
        curl = self._pycurl
        multi = curl.CurlMulti()
        for option, value in (
            (curl.M_SOCKETFUNCTION, self._on_socket),
            (curl.M_TIMERFUNCTION, self._on_timer),
            (curl.M_PIPELINING, curl.PIPE_MULTIPLEX if self._http2 else curl.PIPE_NOTHING),
            (curl.M_MAX_CONCURRENT_STREAMS, _STREAMS),
            (curl.M_MAXCONNECTS, 128),
        ):
            multi.setopt(option, value)
        return multi

    def _on_socket(self, what: int, number: int, *_: object) -> None:
        if what == self._pycurl.POLL_REMOVE:
            with contextlib.suppress(KeyError):
                self._poll.unregister(number)
        else:  # POLL_IN is 1, POLL_OUT 2
            self._poll.register(number, (select.POLLIN if what & 1 else 0) | (select.POLLOUT if what & 2 else 0))

    def _on_timer(self, milliseconds: int) -> None:
        self._due = None if milliseconds < 0 else clock() + milliseconds / 1000

    def _check_address(self, url: str) -> tuple[str, _Origin]:
        """The address as it is requested, and its origin; raises `UsageError` for what must not be requested."""
        plain = _PLAIN_URL.fullmatch(url)
        if plain is None:
            parsed = parse_url(url)
            url, name = str(parsed).partition("#")[0], origin_of(parsed)
        else:
            name = plain[1]
        if name not in self._origins:
            parsed = parse_url(f"{name}/")
            if len(self._origins) > 1000:
                self._origins.clear()
            self._origins[name] = _Origin(origin_of(parsed), proxy_of(parsed), self._identities.get(origin_of(parsed)))
        return url, self._origins[name]

    def _header_lines(self, headers: Mapping[str, str]) -> list[bytes]:
        found = {"user-agent": USER_AGENT, "accept-encoding": "gzip", **headers}
        return [f"{name}: {value}".encode("utf-8", "replace") for name, value in found.items()]

    def _send(self, request: CurlRequest) -> None:
        """Requests the present address, signed if it must be: making a signature may ask a server for a token."""
        identity = request.origin.identity if request.is_ours else None
        if identity is None:
            self._begin(request, request.headers)
        else:
            self._helper.do(functools.partial(self._sign, request, identity))

    def _sign(self, request: CurlRequest, identity: Identity) -> None:
        """In the helper's thread."""
        try:
            signed = identity.sign("GET", request.address)
            lines = [*request.headers, *(f"{name}: {value}".encode() for name, value in signed.items())]
            work = functools.partial(self._begin, request, lines)
        except Exception as error:
            work = functools.partial(self._end, request, error)
        self.call_soon(work)

    def _begin(self, request: CurlRequest, headers: list[bytes]) -> None:
        if request.is_over:
            return
        proxy = request.origin.proxy
        if "://" in proxy and not proxy.lower().startswith("http://"):
            self._end(request, translate(httpx.ProxyError("only http proxies are supported"), _url_of(request)))
            return
        slot = self._free.pop() if self._free else _Slot(self)
        slot.begin(request)
        handle = slot.handle
        handle.setopt(self._pycurl.URL, request.address)
        if headers is not slot.headers_set:
            handle.setopt(self._pycurl.HTTPHEADER, headers)
            slot.headers_set = headers
        if proxy != slot.proxy_set:
            handle.setopt(self._pycurl.PROXY, proxy)
            slot.proxy_set = proxy
        self._multi.add_handle(handle)
        self._slots[handle] = request.slot = slot

    def _release(self, request: CurlRequest) -> None:
        """Takes the handle away from a request; in the middle of a body this closes its connection, or its stream."""
        slot, request.slot = request.slot, None
        if slot is not None:
            self._multi.remove_handle(slot.handle)
            del self._slots[slot.handle]
            self._free.append(slot)

    def _end(self, request: CurlRequest, error: Exception | None) -> None:
        if not request.is_over:
            self.cancel(request)
            request.receiver.on_end(error)

    def _take_ended(self) -> None:
        left = 1
        while left:
            left, well, badly = self._multi.info_read()
            for handle in well:
                give_way()
                self._on_ended(self._slots.get(handle), 0)
            for handle, code, _ in badly:
                self._on_ended(self._slots.get(handle), code)

    def _on_ended(self, slot: _Slot | None, code: int) -> None:
        """libcurl has a whole response, or the code of an error."""
        if slot is None:
            return  # cancelled meanwhile
        request, error = slot.request, slot.problem
        try:
            if error is None and not slot.status and code in (0, self._pycurl.E_PARTIAL_FILE):
                slot.read_head()  # no byte of a body has come
            if error is None and slot.redirect:
                self._follow(request, slot)
                return
            if error is None and slot.status and slot.take is None:
                error = from_response(request.address, slot.status, slot.headers, bytes(slot.unwanted))
            elif error is None and code == self._pycurl.E_COULDNT_RESOLVE_HOST:
                self._release(request)
                self._helper.do(functools.partial(self._explain_name, request))
                return
            elif error is None and code:
                error = self._describe(slot, code)
        except Exception as problem:
            error = problem
        self._end(request, error)

    def _follow(self, request: CurlRequest, slot: _Slot) -> None:
        request.hops.append((request.address, slot.headers))
        if len(request.hops) > MOST_REDIRECTS:
            raise too_many_redirects(request.first)
        first = httpx.URL(request.first)
        target = redirect_target(first, _url_of(request), slot.redirect)
        self._release(request)
        request.address, request.origin = self._check_address(str(target))
        request.is_ours = request.is_ours and request.origin.name == origin_of(first)
        self._send(request)

    def _explain_name(self, request: CurlRequest) -> None:
        """In the helper's thread: libcurl does not tell whether a name is not known or the network is away."""
        cause: OSError | None = None
        try:
            socket.getaddrinfo(_url_of(request).host, None, type=socket.SOCK_STREAM)
        except OSError as error:
            cause = error
        except UnicodeError:
            cause = socket.gaierror(socket.EAI_NONAME, "")
        self.call_soon(functools.partial(self._end, request, _connect_error(request, cause)))

    def _describe(self, slot: _Slot, code: int) -> Exception:
        """What httpx would have raised, in the same words."""
        curl, request = self._pycurl, slot.request
        if code in (curl.E_PEER_FAILED_VERIFICATION, curl.E_SSL_CACERT_BADFILE, curl.E_SSL_ISSUER_ERROR):
            return _connect_error(request, ssl.SSLCertVerificationError())
        if code in (curl.E_SSL_CONNECT_ERROR, curl.E_SSL_CIPHER):
            return _connect_error(request, ssl.SSLError())
        if code == curl.E_COULDNT_RESOLVE_PROXY or slot.handle.getinfo(curl.HTTP_CONNECTCODE) >= 300:
            return translate(httpx.ProxyError(""), _url_of(request))
        if code == curl.E_COULDNT_CONNECT:
            number = slot.handle.getinfo(curl.OS_ERRNO)
            return _connect_error(request, OSError(number, os.strerror(number)))
        if code == curl.E_OPERATION_TIMEDOUT:
            return translate(httpx.ConnectTimeout(""), _url_of(request))
        if code in (curl.E_URL_MALFORMAT, curl.E_BAD_FUNCTION_ARGUMENT):
            return translate(httpx.LocalProtocolError(""), _url_of(request))
        if code == _TOO_LARGE or (not slot.status and sum(map(len, slot.lines)) > _MANY_HEAD_BYTES):
            return _endless_headers(request.address)
        if slot.status:
            return incomplete(request.address, "broke off before its end")
        return translate(httpx.RemoteProtocolError(""), _url_of(request))

    def _look_at_slots(self, now: float) -> None:
        for slot in list(self._slots.values()):
            if slot.request.is_paused:
                continue
            try:
                slot.look(now, self._settings.timeouts)
            except HttpError as error:
                self._end(slot.request, error)


def _endless_headers(address: str) -> HttpError:
    host, _ = short_url_parts(address)
    return UnexpectedResponseError(f"{host} sends headers without an end.", "Check the URL of the system.")


def _url_of(request: CurlRequest) -> httpx.URL:
    return httpx.URL(request.address)


def _connect_error(request: CurlRequest, cause: OSError | None) -> Exception:
    error = httpx.ConnectError("")
    error.__cause__ = cause
    return translate(error, _url_of(request))
