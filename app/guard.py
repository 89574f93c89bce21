"""The guard before every request: the token, the host's name, the origin, and the size of what is sent.

A page of another site that is open in the same browser can send requests to this machine (DNS rebinding, cross-site
requests), and so can other users of it. So the address names a secret token, which becomes a cookie that other sites
cannot send; a foreign ``Host`` or ``Origin`` is refused; and no body is larger than the largest upload.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, urlencode

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

_TOO_LARGE = "The upload is larger than the app accepts."
_HEADERS = (
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (
        b"content-security-policy",
        b"default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
        b"style-src 'self' 'unsafe-inline'; connect-src 'self' ws: wss:; form-action 'self'; frame-ancestors 'none'",
    ),
)
"""Sent with every answer: pages load nothing from elsewhere and stand in no other page."""


class TooLarge(Exception):
    """A body is larger than allowed."""


class Guard:
    """Lets requests through to an application that know the token and came by an allowed name.

    Args:
        application: what is guarded.
        token: the secret.
        port: on which the app answers.
        hosts: allowed values of ``Host``, with the port.
        largest_body: bytes of a request's body.
    """

    def __init__(
        self, application: Application, token: str, port: int, hosts: Collection[str], largest_body: int
    ) -> None:
        self.application = application
        self.token = token
        self.cookie = cookie_of(port)
        self.hosts = {host.lower() for host in hosts}
        self.largest_body = largest_body

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request or web socket."""
        if scope["type"] == "lifespan":
            await self.application(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        refused = self._refused(scope, headers)
        if refused is not None:
            await _refuse(scope, send, *refused)
            return
        if scope["type"] == "http" and self._given(scope) is not None:
            await _redirect(scope, send, f"{self.cookie}={self.token}; Path=/; HttpOnly; SameSite=Strict".encode())
            return
        length = headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > 15 or int(length) > self.largest_body:
            await _refuse(scope, send, 413, _TOO_LARGE)
            return
        started, received = False, 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            # A body without a length is counted as it comes.
            if scope["type"] == "http" and received > self.largest_body:
                raise TooLarge
            return message

        async def secured(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message = {**message, "headers": [*message.get("headers", ()), *_HEADERS]}
            await send(message)

        try:
            await self.application(scope, counted, secured)
        except TooLarge:
            if not started:
                await _refuse(scope, send, 413, _TOO_LARGE)

    def _refused(self, scope: Message, headers: dict[str, str]) -> tuple[int, str] | None:
        """Status and sentence, if this request may not pass."""
        if headers.get("host", "").lower() not in self.hosts:
            return 403, "This app answers only to the address that metalens app printed."
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2].lower() not in self.hosts:
            return 403, "This app answers only to its own pages."
        given = self._given(scope) if scope["type"] == "http" else None
        given = _of_cookies(headers.get("cookie", ""), self.cookie) if given is None else given
        if given is None or not secrets.compare_digest(given.encode(), self.token.encode()):
            return 403, "The token is missing or wrong; open the whole address that metalens app printed."
        return None

    def _given(self, scope: Message) -> str | None:
        return dict(parse_qsl(scope.get("query_string", b"").decode("latin-1"))).get("token")


def cookie_of(port: int) -> str:
    """Name of the cookie: browsers share cookies between the ports of a host, and more than one app may be open."""
    return f"metalens-app-{port}"


def _of_cookies(header: str, name: str) -> str | None:
    try:
        cookies = SimpleCookie(header)
    except CookieError:
        return None
    return cookies[name].value if name in cookies else None


async def _redirect(scope: Message, send: Send, cookie: bytes) -> None:
    """To the same place without the token, so that it stays in no history."""
    kept = [pair for pair in parse_qsl(scope["query_string"].decode("latin-1")) if pair[0] != "token"]
    # Of a path that begins with two slashes a browser would take the first part as a host.
    place = "/" + scope["path"].lstrip("/") + (f"?{urlencode(kept)}" if kept else "")
    target = place.encode("ascii", "ignore").replace(b"\r", b"").replace(b"\n", b"")
    headers = [(b"location", target), (b"set-cookie", cookie), (b"cache-control", b"no-store"), *_HEADERS]
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def _refuse(scope: Message, send: Send, status: int, sentence: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": sentence})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store"), *_HEADERS]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": sentence.encode()})
