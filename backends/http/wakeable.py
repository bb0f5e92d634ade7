"""Sockets on which a blocked thread can be woken by another one that pulls the cancel token."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
import time
import typing
from collections.abc import Iterable, Iterator

from backends.cancel import CancelToken
from backends.errors import OperationCancelledError
from backends.http.speed import Meter
from backends.http.stack import httpcore

_SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]
_MOST_READ = 256 << 10
_Mapping = dict[type[Exception], type[Exception]]


class Lease:
    """One request's hold on whichever socket it blocks on; pulling `cancel` shuts that socket down.

    Closing a file descriptor does not wake a recv() on Linux, shutdown() does. The same socket may serve another
    request right afterwards, so `end()` gives it up under the lock that waking takes.
    """

    def __init__(self, cancel: CancelToken | None, meter: Meter | None = None) -> None:
        self.cancel = cancel
        self.meter = meter
        self.connected = False  # whether this request had to open a connection
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._forget = cancel.on_cancel(self._wake) if cancel is not None else None

    def hold(self, sock: socket.socket) -> None:
        """From here on the request blocks on `sock`; raises `OperationCancelledError` if it is too late for that."""
        if self.cancel is None:
            return
        with self._lock:
            self._socket = sock
        self.cancel.check()

    def let_go(self) -> None:
        with self._lock:
            self._socket = None

    def end(self) -> None:
        self.let_go()
        if self._forget is not None:
            self._forget()

    def _wake(self) -> None:
        with self._lock:
            if self._socket is not None:
                shut_down(self._socket)


def shut_down(sock: socket.socket) -> None:
    with contextlib.suppress(OSError, ValueError):
        # Not SSLSocket.shutdown: that throws the TLS state away under the reader's feet.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


class _Here(threading.local):
    lease: Lease | None = None


_here = _Here()


@contextlib.contextmanager
def leased(lease: Lease) -> Iterator[None]:
    """Within it, connections that this thread opens or writes to belong to `lease`."""
    before, _here.lease = _here.lease, lease
    try:
        yield
    finally:
        _here.lease = before


@contextlib.contextmanager
def _mapped(mapping: _Mapping) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        for theirs, ours in mapping.items():
            if isinstance(error, theirs):
                raise ours(error) from error
        raise


_CONNECTING: _Mapping = {TimeoutError: httpcore.ConnectTimeout, OSError: httpcore.ConnectError}


class WakeableStream(httpcore.NetworkStream):
    """A connected socket. While a body fills what is asked for, it asks for 256 KB instead of httpcore's 64 KB:
    four 200 MB files at once then cost 1.1-1.4 s of CPU instead of 2.6 s, for the threads take fewer turns.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._timeout: float | None = sock.gettimeout()
        self._lease: Lease | None = None
        self._flows = False

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        meter = self._lease.meter if self._lease is not None else None
        try:
            self._limit(timeout if meter is None else meter.begin_read(timeout))
            received = self._socket.recv(_MOST_READ if self._flows else max_bytes)
            self._flows = len(received) >= max_bytes
            if meter is not None:
                meter.end_read(len(received))
            return received
        except TimeoutError as error:
            if meter is not None:
                meter.timed_out()
            raise httpcore.ReadTimeout(error) from error
        except OSError as error:
            raise httpcore.ReadError(error) from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if not buffer:
            return
        # A request begins with a write in the thread that asks for it: from now on this socket is its.
        self._lease = _here.lease
        if self._lease is not None:
            self._lease.hold(self._socket)
        try:
            self._limit(timeout)
            self._socket.sendall(buffer)
            if self._lease is not None and self._lease.meter is not None:
                self._lease.meter.wrote()
        except TimeoutError as error:
            raise httpcore.WriteTimeout(error) from error
        except OSError as error:
            raise httpcore.WriteError(error) from error

    def close(self) -> None:
        if self._lease is not None:
            self._lease.let_go()
        self._socket.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        lease = _here.lease
        # wrap_socket takes the descriptor away from our socket, so the one to shut down is a duplicate.
        handle = self._socket.dup()
        try:
            if lease is not None:
                lease.hold(handle)
            with _mapped(_CONNECTING):
                self._limit(timeout)
                sock = ssl_context.wrap_socket(self._socket, server_hostname=server_hostname)
        except BaseException:
            self.close()
            raise
        finally:
            if lease is not None:
                lease.let_go()
            handle.close()
        return WakeableStream(sock)

    def get_extra_info(self, info: str) -> typing.Any:
        if info == "ssl_object" and isinstance(self._socket, ssl.SSLSocket):
            return self._socket
        if info == "socket":
            return self._socket
        if info == "is_readable":
            return _is_readable(self._socket)
        return None

    def _limit(self, timeout: float | None) -> None:
        if timeout != self._timeout:  # saves a system call for each read
            self._socket.settimeout(timeout)
            self._timeout = timeout


def _is_readable(sock: socket.socket) -> bool:
    """Between two requests that means: the server has closed the connection."""
    if sock.fileno() < 0:
        return True
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLIN)
    return bool(poll.poll(0))


class WakeableBackend(httpcore.NetworkBackend):
    """Opens connections that the lease of the calling thread can interrupt, even before they are made."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[_SocketOption] | None = None,
    ) -> httpcore.NetworkStream:
        if _here.lease is not None:
            _here.lease.connected = True
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        with _mapped(_CONNECTING):
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        for family, kind, protocol, _, address in found:
            try:
                return WakeableStream(_connect(family, kind, protocol, address, timeout))
            except OSError as error:
                made = httpcore.ConnectTimeout if isinstance(error, TimeoutError) else httpcore.ConnectError
                failure = made(error)
                failure.__cause__ = error
        raise failure

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def _connect(family: int, kind: int, protocol: int, address: typing.Any, timeout: float | None) -> socket.socket:
    sock = socket.socket(family, kind, protocol)
    lease = _here.lease
    try:
        sock.settimeout(timeout)
        if lease is not None:
            lease.hold(sock)
        sock.connect(address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock
    except BaseException as error:
        if lease is not None:
            lease.let_go()
        sock.close()
        if isinstance(error, OSError) and lease is not None and lease.cancel is not None and lease.cancel.cancelled:
            raise OperationCancelledError from error
        raise
