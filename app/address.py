"""Where the app answers, and the secret that a request needs."""

from __future__ import annotations

import secrets
import socket
from dataclasses import dataclass

from metalens.formats.files.errors import InputError

LOCAL = "127.0.0.1"


@dataclass(frozen=True)
class Address:
    """Where the app answers.

    Attributes:
        host: that it binds to.
        port: of TCP.
        token: the secret in the address.
        names: further host names under which it may be asked for.
    """

    host: str
    port: int
    token: str
    names: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        """What is opened in a browser."""
        return f"http://{_bracketed(self.host)}:{self.port}/?token={self.token}"

    @property
    def hosts(self) -> list[str]:
        """Values of ``Host`` that are let through."""
        local = ("localhost",) if self.host == LOCAL else ()
        return [f"{_bracketed(name)}:{self.port}" for name in (self.host, *local, *self.names)]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def free_address(host: str, port: int, names: tuple[str, ...] = ()) -> Address:
    """An address with a new token.

    Args:
        host: to bind to.
        port: of TCP; 0 for any free one.
        names: further host names under which it may be asked for.

    Returns:
        The host, the port that was free, a new random token, and the further names.

    Raises:
        InputError: the port is taken, or the host is not of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            port = probe.getsockname()[1]
    except OSError as error:
        raise InputError(
            f"metalens app: cannot listen on {host}, port {port} ({error.strerror or error}); choose another --port or "
            "--host."
        ) from error
    return Address(host, port, secrets.token_urlsafe(24), names)
