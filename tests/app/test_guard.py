"""Only requests with the token, by an allowed name and of a limited size reach the app."""

import asyncio

import pytest

from metalens.app.guard import Guard, cookie_of

TOKEN = "a-secret"
HOST = "127.0.0.1:8765"
COOKIE = cookie_of(8765)


async def application(scope, receive, send):
    """Says how many bytes came."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    count, more = 0, True
    while more:
        message = await receive()
        count += len(message.get("body", b""))
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(count).encode()})


def ask(*, kind="http", path="/", query=b"", headers=(), parts=(b"",), largest=100):
    """The messages that the guard sends for one request."""
    sent, waiting = [], list(parts)

    async def receive():
        body = waiting.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(waiting)}

    async def send(message):
        sent.append(message)

    given = {"host": HOST} | dict(headers)
    scope = {
        "type": kind,
        "path": path,
        "query_string": query,
        "headers": [(name.encode(), value.encode()) for name, value in given.items() if value is not None],
    }
    asyncio.run(Guard(application, TOKEN, 8765, [HOST], largest)(scope, receive, send))
    return sent


def status_of(sent):
    return sent[0].get("status", sent[0]["type"])


def cookie(value=TOKEN):
    return {"cookie": f"{COOKIE}={value}"}


def test_the_token_becomes_a_cookie_and_leaves_the_address():
    sent = ask(path="/lens", query=b"token=a-secret&x=1")
    headers = dict(sent[0]["headers"])
    assert status_of(sent) == 303
    assert headers[b"location"] == b"/lens?x=1"
    assert headers[b"set-cookie"] == b"metalens-app-8765=a-secret; Path=/; HttpOnly; SameSite=Strict"


def test_a_request_with_the_cookie_passes():
    # Beside that of another app, which the browser sends to every port of this machine.
    for headers in (cookie(), {"cookie": f"{cookie_of(8766)}=of-another; {COOKIE}={TOKEN}"}):
        sent = ask(headers=headers)
        assert (status_of(sent), sent[1]["body"]) == (200, b"0")


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("headers", [{}, cookie("other"), cookie(""), {"cookie": "metalens-app"}, {"cookie": "ä=\x01"}])
def test_a_missing_or_wrong_cookie_is_refused(kind, headers):
    sent = ask(kind=kind, headers=headers)
    assert status_of(sent) in (403, "websocket.close")
    assert len(sent) == (1 if kind == "websocket" else 2)


@pytest.mark.parametrize("query", [b"token=wrong", b"token=", b"token=a-secre", b"token=%ff"])
def test_a_wrong_token_is_refused_with_a_sentence(query):
    sent = ask(query=query)
    assert status_of(sent) == 403
    assert b"open the whole address that metalens app printed" in sent[1]["body"]


def test_a_wrong_token_is_refused_even_with_the_cookie():
    assert status_of(ask(query=b"token=wrong", headers=cookie())) == 403


@pytest.mark.parametrize(
    "host", ["evil.example:8765", "127.0.0.1", "127.0.0.1:80", "", None, "127.0.0.1:8765.evil.example"]
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_a_foreign_host_is_refused_even_with_the_token(kind, host):
    sent = ask(kind=kind, query=b"token=a-secret", headers={"host": host} | cookie())
    assert status_of(sent) in (403, "websocket.close")


def test_another_site_in_the_same_browser_opens_no_web_socket():
    assert status_of(ask(kind="websocket", headers=cookie() | {"origin": "http://evil.example"})) == "websocket.close"
    assert status_of(ask(kind="websocket", headers=cookie() | {"origin": f"http://{HOST}"})) == "websocket.accept"


def test_the_redirect_never_leaves_the_app():
    sent = ask(path="//evil.example/x", query=b"token=a-secret")
    assert dict(sent[0]["headers"])[b"location"] == b"/evil.example/x"


@pytest.mark.parametrize("length", ["101", "-1", "x", "9" * 400])
def test_a_body_that_says_it_is_too_large_is_not_read(length):
    sent = ask(headers=cookie() | {"content-length": length})
    assert (status_of(sent), sent[1]["body"]) == (413, b"The upload is larger than the app accepts.")


def test_a_body_without_a_length_is_counted_as_it_comes():
    assert status_of(ask(headers=cookie(), parts=[b"x" * 60, b"x" * 60, b"x" * 60])) == 413
    assert ask(headers=cookie(), parts=[b"x" * 60, b"x" * 40])[1]["body"] == b"100"


def test_every_answer_forbids_what_comes_from_elsewhere():
    for sent in (ask(headers=cookie()), ask()):
        policy = dict(sent[0]["headers"])[b"content-security-policy"].decode()
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
