"""Who may ask, and how much: the host's name, the origin, the token and the size of every request."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MOST_UPLOAD = 200_000_000
MOST_REQUEST = 2_000_000
_COOKIE = "isoflop_token"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


@dataclass(frozen=True)
class Guard:
    """Lets a request through to ``app`` only if it comes from this page.

    hosts: what the Host header may say (name:port). A page of another site that has made its name point at this
    machine (DNS rebinding) still sends its own name. token: asked of every request where it is not None.
    """

    app: App
    hosts: frozenset[str]
    token: str | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 400, 403 or 413 in one sentence, or pass the request on with headers that close the page in."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refused = self._refusal(scope, headers)
        if refused is not None:
            await _say(send, *refused)
            return
        limit = MOST_UPLOAD if scope["path"] == "/api/upload" else MOST_REQUEST
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > limit:
            await _say(send, 413, f"a request may hold {limit:,} bytes here, and this one has {length}; send less")
            return
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        cookie = f"{_COOKIE}={self.token}; HttpOnly; SameSite=Strict; Path=/" if self.token and given else None
        await self.app(scope, _limited(receive, limit), _sealed(send, cookie))

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
        if self.hosts and headers.get("host", "").lower() not in self.hosts:
            return 400, "this page answers only under the address that was printed when it started"
        origin = headers.get("origin")
        own = f"http://{headers.get('host', '')}".lower()
        elsewhere = (origin is not None and origin.lower() != own) or (
            headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
        )
        # a link from elsewhere may open the page itself; nothing else
        link = scope["method"] == "GET" and headers.get("sec-fetch-mode", "cors") == "navigate"
        if elsewhere and not link:
            return 403, "requests from other sites are refused"
        if scope["method"] not in ("GET", "HEAD") and headers.get("x-isoflop") != "1":
            return 403, "requests that change something must come from the page itself"
        return None if self._knows_token(scope, headers) else (403, "open the address with the token that was printed")

    def _knows_token(self, scope: Scope, headers: dict[str, str]) -> bool:
        if self.token is None:
            return True
        cookies: SimpleCookie = SimpleCookie(headers.get("cookie", ""))
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [])
        if _COOKIE in cookies:
            given = [*given, cookies[_COOKIE].value]
        return any(hmac.compare_digest(each.encode(), self.token.encode()) for each in given)


class TooLargeError(Exception):
    """More bytes came than a request may hold."""


def _limited(receive: Receive, limit: int) -> Receive:
    """A body that ends in TooLargeError once it is longer than announced or allowed."""
    held = 0

    async def counted() -> Message:
        nonlocal held
        message = await receive()
        held += len(message.get("body", b""))
        if held > limit:
            raise TooLargeError
        return message

    return counted


def _sealed(send: Send, cookie: str | None) -> Send:
    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            more = ((b"set-cookie", cookie.encode()),) if cookie else ()
            message["headers"] = [*message.get("headers", []), *_HEADERS, *more]
        await send(message)

    return with_headers


async def _say(send: Send, status: int, sentence: str) -> None:
    body = sentence.encode()
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", b"text/plain; charset=utf-8"),
                (b"content-length", str(len(body)).encode()),
                (b"connection", b"close"),
                *_HEADERS,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})
