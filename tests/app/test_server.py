"""Where the app answers, and what ``metalens app`` refuses before it starts."""

import asyncio
import socket
from types import SimpleNamespace

import pytest

from metalens.app.address import Address, free_address
from metalens.app.server import PagesEnd
from metalens.formats.files.errors import InputError


def test_an_address_has_a_free_port_and_a_new_token():
    one, other = free_address("127.0.0.1", 0), free_address("127.0.0.1", 0)
    assert one.port > 0
    assert len(one.token) >= 32
    assert one.token != other.token
    assert one.url == f"http://127.0.0.1:{one.port}/?token={one.token}"


def test_only_the_names_of_this_machine_and_those_that_were_given_are_let_through():
    assert Address("127.0.0.1", 8765, "t").hosts == ["127.0.0.1:8765", "localhost:8765"]
    assert Address("::1", 8765, "t", ("lab",)).hosts == ["[::1]:8765", "lab:8765"]


def test_a_taken_port_is_told():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=rf"cannot listen on 127\.0\.0\.1, port {port} .*choose another --port"):
            free_address("127.0.0.1", port)


def test_a_foreign_address_is_told():
    with pytest.raises(InputError, match=r"cannot listen on 203\.0\.113\.1"):
        free_address("203.0.113.1", 0)


def test_the_command_needs_a_folder(run, tmp_path):
    status, out, err = run("app", tmp_path / "missing", "--no-browser")
    assert (status, out) == (1, "")
    assert err == f"metalens: {tmp_path / 'missing'}: no such folder; give the folder of your project.\n"


def test_the_command_names_the_missing_extra(run, tmp_path, monkeypatch):
    monkeypatch.setattr("metalens.formats.files.extras.is_installed", lambda package: package != "nicegui")
    status, out, err = run("app", tmp_path, "--no-browser")
    assert (status, out) == (1, "")
    sentence = "metalens app: the package nicegui is not installed; run `pip install 'metalens[app]'`."
    assert err == f"metalens: {sentence}\n"


def test_the_adapter_is_loaded_before_the_pages_are_imported_and_all_is_ended_with_the_app(run, tmp_path, monkeypatch):
    done = []
    service, jobs = "metalens.app.service.Service", "metalens.app.job.Jobs"
    monkeypatch.setattr(f"{service}.start", lambda service, *given: done.append((service.module, *given)))
    monkeypatch.setattr(f"{service}.end", lambda service: done.append(f"ended {service.module}"))
    monkeypatch.setattr(f"{jobs}.end_all", lambda jobs: done.append("ended jobs"))
    monkeypatch.setattr("metalens.app.server.serve", lambda *given, **named: done.append("served"))
    assert run("app", tmp_path, "--no-browser")[0] == 0
    restoring, simulating = "metalens.app.restore_service", "metalens.app.lens_service"
    ended = ["ended jobs", f"ended {restoring}", f"ended {simulating}"]
    assert done == [(restoring, "metacamera"), "served", *ended]


def test_when_the_server_ends_pages_are_deleted_before_anything_waits_for_them(monkeypatch):
    done = []
    pages = {"a": SimpleNamespace(delete=lambda: done.append("deleted"))}
    monkeypatch.setattr("nicegui.Client.instances", pages)
    messages = iter(["lifespan.startup", "lifespan.shutdown"])

    async def served(scope, receive, send):
        done.extend([(await receive())["type"], (await receive())["type"]])

    async def receive():
        return {"type": next(messages)}

    asyncio.run(PagesEnd(served)({"type": "lifespan"}, receive, None))
    assert done == ["deleted", "lifespan.startup", "lifespan.shutdown"]
