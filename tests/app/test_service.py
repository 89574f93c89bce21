"""A service is a process that answers requests, one after another, and can be ended at any time."""

import asyncio

import pytest

from metalens.app.project import open_project
from metalens.app.service import Service
from metalens.formats.files.errors import InputError

ECHO = """
import signal, sys, time
from metalens.app.service import answer_requests
from metalens.formats.files.atomic import atomic_file
from metalens.formats.files.errors import InputError

def echo(tell, text):
    print("printed, not an answer")
    tell(0.5, text)
    return {"text": text}

def refuse(tell):
    raise InputError("it cannot be.")

def fail(tell):
    return 1 / 0

def wait(tell):
    tell(0.0, "waiting")
    time.sleep(60)

def late(tell, text):
    tell(0.0, "begun")
    time.sleep(0.5)
    return {"text": text}

def deaf(tell):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with atomic_file("metalens-app/kept.txt") as part:
        part.write_text("half")
        tell(0.0, "begun")
        time.sleep(60)

def end(tell):
    sys.exit(3)

def load():
    print(sys.argv[2])
    if sys.argv[2] == "damaged":
        raise InputError("it cannot be loaded.")

names = ("echo", "late", "refuse", "fail", "wait", "deaf", "end")
answer_requests({name: globals()[name] for name in names}, load)
"""


@pytest.fixture
def service(tmp_path, monkeypatch):
    (tmp_path / "echo_service.py").write_text(ECHO)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    return Service("echo_service", open_project(tmp_path))


def test_it_answers_and_refuses_and_goes_on(service):
    async def talk():
        told = []
        found = await service.ask({"do": "echo", "text": "ä"}, lambda share, text: told.append((share, text)))
        with pytest.raises(InputError, match=r"^it cannot be\.$"):
            await service.ask({"do": "refuse"})
        with pytest.raises(InputError, match="this is a bug in metalens"):
            await service.ask({"do": "fail"})
        again = await service.ask({"do": "echo", "text": "b"})
        await service.stop()
        return told, found, again

    assert asyncio.run(talk()) == ([(0.5, "ä")], {"text": "ä"}, {"text": "b"})


@pytest.mark.parametrize("loaded", ["sound", "damaged"])
def test_it_is_started_before_there_is_a_loop_and_loads_unasked(service, loaded):
    process = service.start(loaded)

    async def talk():
        found = await service.ask({"do": "echo", "text": "a"})
        assert service.start() is process
        await service.stop()
        return found

    assert asyncio.run(talk()) == {"text": "a"}
    assert (service.project.own / "jobs/echo_service.log").read_text() == f"{loaded}\nprinted, not an answer\n"
    # Once more, and ended where no loop runs.
    assert service.start(loaded).poll() is None
    service.end()


def test_stopping_ends_what_runs_and_what_waits_and_the_next_request_starts_anew(service):
    async def talk():
        started = asyncio.Event()
        first = asyncio.create_task(service.ask({"do": "wait"}, lambda share, text: started.set()))
        second = asyncio.create_task(service.ask({"do": "echo", "text": "a"}))
        await started.wait()
        await service.stop()
        for task in (first, second):
            with pytest.raises(InputError, match="stopped; nothing half-written was left"):
                await task
        found = await service.ask({"do": "echo", "text": "b"})
        await service.stop()
        return found

    assert asyncio.run(talk()) == {"text": "b"}


def test_a_process_that_hears_no_signal_is_killed_and_what_it_had_begun_is_removed(service, monkeypatch):
    monkeypatch.setattr("metalens.app.service._SECONDS_TO_END", 0.1)

    async def talk():
        begun = asyncio.Event()
        asked = asyncio.create_task(service.ask({"do": "deaf"}, lambda share, text: begun.set()))
        await begun.wait()
        assert list(service.project.own.glob(".kept.txt.*.part")) != []
        await service.stop()
        with pytest.raises(InputError, match="stopped"):
            await asked

    asyncio.run(talk())
    assert [path.name for path in service.project.own.iterdir()] == ["jobs"]


def test_the_answer_to_a_page_that_has_gone_is_not_the_next_one_s(service):
    async def talk():
        begun = asyncio.Event()
        gone = asyncio.create_task(service.ask({"do": "late", "text": "a"}, lambda share, text: begun.set()))
        await begun.wait()
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        found = await service.ask({"do": "echo", "text": "b"})
        await service.stop()
        return found

    assert asyncio.run(talk()) == {"text": "b"}


def test_a_process_that_ends_by_itself_is_told(service):
    async def talk():
        with pytest.raises(InputError, match="the process ended with status 3"):
            await service.ask({"do": "end"})

    asyncio.run(talk())
