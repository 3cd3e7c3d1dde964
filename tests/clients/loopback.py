"""A wall around a test: sockets connect to this machine, names other than its own aren't looked up, and whoever tries
is remembered, even when the client keeps quiet about it."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import pytest

HERE = ("localhost", "", None)


class NotHere(OSError):
    """A client wanted to leave this machine."""


def is_here(host: Any) -> bool:
    """Is it this machine?"""
    if host in HERE or host == b"localhost":
        return True
    try:
        return ip_address(host.decode() if isinstance(host, bytes) else host).is_loopback
    except ValueError:
        return False


@contextmanager
def loopback_only() -> Iterator[list[object]]:
    """Until it ends, whatever isn't loopback is refused with NotHere; the list says what was."""
    refused: list[object] = []

    def guarded(ask: Any, host_of: Any) -> Any:
        def asked(*arguments: Any, **named: Any) -> Any:
            host = host_of(*arguments, **named)
            if not is_here(host):
                refused.append(host)
                raise NotHere(f"{host!r} is not this machine")
            return ask(*arguments, **named)

        return asked

    def of_address(_socket: socket.socket, address: Any, *_rest: Any) -> Any:
        return address[0] if isinstance(address, tuple) else None  # a path is a socket of this machine

    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, guarded(getattr(socket.socket, name), of_address))
        for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
            patch.setattr(socket, name, guarded(getattr(socket, name), lambda host, *_rest, **_named: host))
        patch.setattr(
            socket.socket, "sendto", guarded(socket.socket.sendto, lambda *sent: of_address(sent[0], sent[-1]))
        )
        yield refused


def urls_in(value: Any) -> list[str]:
    """Every URL in a nest of dicts and lists."""
    if isinstance(value, dict):
        return [url for part in value.values() for url in urls_in(part)]
    if isinstance(value, list):
        return [url for part in value for url in urls_in(part)]
    return [value] if isinstance(value, str) and "://" in value else []


def strangers(value: Any) -> list[str]:
    """The URLs in a client's configuration that lead away from this machine."""
    return [url for url in urls_in(value) if not is_here(urlsplit(url).hostname)]
