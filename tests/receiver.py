"""A receiver on loopback, of webhooks or of mail, which answers as it is told and keeps what it was sent."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

CERTIFICATE = Path(__file__).parent / "flows" / "receiver.pem"  # for hooks.example.com, and its key: public
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfine\n"
Behaviour = Callable[[socket.socket], None]


@dataclass
class Request:
    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """``answers`` are given in turn, the last one for good: bytes, or what is done with the connection."""

    port: int
    answers: list[bytes | Behaviour] = field(default_factory=lambda: [OK])
    requests: list[Request] = field(default_factory=list)
    server_names: list[str] = field(default_factory=list)
    speaks_first: bool = False  # as mail servers do

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?from=leadloop"

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"

    def serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.settimeout(5)
            if not self.speaks_first:
                self.requests.append(_read(connection))
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            connection.sendall(answer) if isinstance(answer, bytes) else answer(connection)


@contextlib.contextmanager
def receiving(*, tls: bool = False, speaks_first: bool = False) -> Iterator[Receiver]:
    listener = socket.create_server(("127.0.0.1", 0))
    receiver = Receiver(listener.getsockname()[1], speaks_first=speaks_first)
    context = _tls(receiver) if tls else None

    def run() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=_one, args=(receiver, connection, context), daemon=True).start()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def answer(status: int, body: bytes = b"", **headers: str) -> bytes:
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} X\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def dripping(beginning: bytes = b"", every: float = 0.05) -> Behaviour:
    """Sends a byte now and then, for ever."""

    def behave(connection: socket.socket) -> None:
        connection.sendall(beginning)
        for _ in range(2000):
            connection.sendall(b"x")
            time.sleep(every)

    return behave


def silent(connection: socket.socket) -> None:
    """Says nothing until the other side hangs up."""
    connection.recv(1)


def taking_mail(letters: list[bytes], at_quit: bytes = b"221 bye\r\n") -> Behaviour:
    """Talks as a mail server does, and puts what it takes into ``letters``."""

    def behave(connection: socket.socket) -> None:
        lines = connection.makefile("rb")
        connection.sendall(b"220 here\r\n")
        while line := lines.readline():
            said = line.strip().upper()
            if said == b"DATA":
                connection.sendall(b"354 go on\r\n")
                letters.append(b"".join(iter(lines.readline, b".\r\n")))
            connection.sendall(at_quit if said == b"QUIT" else b"250 fine\r\n")

    return behave


def _one(receiver: Receiver, connection: socket.socket, context: ssl.SSLContext | None) -> None:
    if context is not None:
        try:
            connection = context.wrap_socket(connection, server_side=True)
        except OSError:
            connection.close()
            return
    receiver.serve(connection)


def _tls(receiver: Receiver) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    context.sni_callback = lambda _sock, name, _context: receiver.server_names.append(name)
    return context


def _read(connection: socket.socket) -> Request:
    """A whole request. ConnectionError where it was cut off: whoever sent it was killed, say."""
    reader = connection.makefile("rb")
    line = reader.readline().decode().strip()
    headers = {}
    while (text := reader.readline().decode()) not in ("", "\r\n"):
        name, _, value = text.partition(":")
        headers[name.lower()] = value.strip()
    length = int(headers.get("content-length", 0))
    body = reader.read(length)
    if not text or len(body) < length:
        raise ConnectionError("The request was cut off.")
    return Request(line, headers, body)
