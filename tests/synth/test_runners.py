"""Where the work is done changes nothing of what comes out, and whoever dies leaves nothing wrong behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from metalens.formats.files.errors import InputError
from metalens.formats.pairs.manifest import read_manifest
from metalens.formats.pairs.verify import verify_pairs
from metalens.formats.psf.bank import PsfBank
from metalens.formats.psf.bank_file import write_psf_bank
from metalens.runners.backend import BackendSettings
from metalens.runners.job import answer_of, do_job
from metalens.runners.local import Here, LocalWorkers
from metalens.runners.processes import one_thread
from metalens.synth import Execution, PairsOptions, Photograph, generate_pairs
from metalens.synth.dataset import shard
from metalens.synth.dataset.photograph_survey import INSPECT
from metalens.synth.dataset.shard import SHARD

from .conftest import MakeBank


@pytest.fixture
def bank(make_bank: MakeBank) -> PsfBank:
    return make_bank(pixels=(16, 20), nodes=(1, 1), kernel=(3, 3))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


KILLED_RUN = """
import json, sys
from pathlib import Path
from metalens.synth.generate import BackendSettings, Execution, PairsOptions, generate_pairs
from metalens.synth.photographs import Photograph

given = json.loads(sys.argv[1])
photographs = [Photograph(**each | {"path": Path(each["path"])}) for each in given["photographs"]]
say = lambda done, total: print(done, flush=True)
execution = Execution(BackendSettings(workers=2), progress=say)
generate_pairs(photographs, given["bank"], given["output"], PairsOptions(**given["settings"]), execution=execution)
"""


def test_workers_are_killed_with_their_master_and_any_number_of_them_makes_the_same_bytes(
    photographs: list[Photograph], bank: PsfBank, tmp_path: Path
) -> None:
    settings = {"count": 20, "shard_size": 1, "seed": 4}
    generate_pairs(photographs, bank, tmp_path / "whole", PairsOptions(**settings))  # type: ignore[arg-type]
    write_psf_bank(tmp_path / "psf.h5", bank)
    listed = [vars(each) | {"path": str(each.path)} for each in photographs]
    target = tmp_path / "pairs"
    given = {"photographs": listed, "bank": str(tmp_path / "psf.h5"), "output": str(target), "settings": settings}
    command = [sys.executable, "-c", KILLED_RUN, json.dumps(given)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        # Two workers have made three samples: one of them has finished a shard of one.
        while int(process.stdout.readline() or 20) < 3:
            pass
        workers = children_of(process.pid)
        os.kill(process.pid, signal.SIGKILL)
    assert len(workers) == 2
    deadline = time.monotonic() + 30
    while any(map(is_running, workers)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(is_running, workers))
    assert all("not finished" in each.reason for each in verify_pairs(target, thorough=True).damaged)
    made = generate_pairs(photographs, bank, target, PairsOptions(**settings), resume=True).made  # type: ignore[arg-type]
    assert 0 < made < 20
    assert contents(target) == contents(tmp_path / "whole")


def children_of(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_worker_that_dies_is_one_sentence(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "endless")  # whoever reads it waits for ever
    backend = LocalWorkers(1)

    def kill(place: int, made: int) -> None:
        raise AssertionError("nothing is made")

    running = backend.run(INSPECT, [{"paths": [str(tmp_path / "endless")], "pixels": [4, 4]}], kill)

    def strike() -> None:
        while not backend.processes:
            time.sleep(0.01)
        backend.processes[0].kill()

    threading.Thread(target=strike).start()
    with pytest.raises(InputError, match=r"a worker ended with signal 9, as when memory runs out; .*--resume"):
        next(running)
    assert backend.processes == []


def test_what_a_worker_cannot_do_is_told_as_here(tmp_path: Path) -> None:
    spec = {"folder": str(tmp_path), "index": 0, "photographs": {}, "banks": [], "lost": []}
    with pytest.raises(InputError, match=r"has no manifest\.json"):
        answer_of(do_job(SHARD, spec))
    with pytest.raises(RuntimeError, match="KeyError"):
        answer_of(do_job(INSPECT, {}))


def test_a_worker_has_one_thread() -> None:
    variables = one_thread()
    assert variables["OMP_NUM_THREADS"] == variables["OPENBLAS_NUM_THREADS"] == "1"
    assert "--xla_cpu_multi_thread_eigen=false" in variables["XLA_FLAGS"]


def test_products_of_matrices_have_one_thread_where_the_process_has_more(
    photographs: list[Photograph], bank: PsfBank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On two threads OpenBLAS adds up in another order, and a few pixels of a large camera's noise were others.
    seen: set[int] = set()
    photograph = shard.photograph_crop

    def watched(*arguments: object) -> object:
        seen.update(each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas")
        return photograph(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(shard, "photograph_crop", watched)
    with threadpool_limits(limits=2):
        generate_pairs(photographs, bank, tmp_path / "pairs", PairsOptions(count=2, seed=4))
    assert seen == {1}


ELSEWHERE = """
import json, sys
from pathlib import Path
from metalens.runners.clusters import Ray, Slurm
from metalens.synth.dataset.photograph_survey import INSPECT

name, specs, logs = sys.argv[1], json.loads(sys.argv[2]), Path(sys.argv[3])
backend = Ray(2) if name == "ray" else Slurm(2, logs, {"cluster": "local", "timeout_min": "5"})
found = dict(backend.run(INSPECT, specs, lambda place, made: None))
backend.close()
print("found", json.dumps([found[place] for place in range(len(specs))]))
"""


# Starting a cluster takes ten seconds and more.
@pytest.mark.long
@pytest.mark.parametrize("name", ["ray", "slurm"])
def test_a_cluster_runs_the_same_jobs(name: str, photographs: list[Photograph], tmp_path: Path) -> None:
    specs = [{"paths": [str(each.path), str(tmp_path / "none")], "pixels": [16, 20]} for each in photographs]
    here = dict(Here().run(INSPECT, specs, lambda place, made: None))
    command = [sys.executable, "-c", ELSEWHERE, name, json.dumps(specs), str(tmp_path / "logs")]
    # Ray's workers are nice by default, and starve beside the other tests.
    environ = os.environ | {"RAY_worker_niceness": "0"}
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    assert run.returncode == 0, run.stderr
    answer = next(line for line in run.stdout.splitlines() if line.startswith("found "))
    assert json.loads(answer.removeprefix("found ")) == [here[place] for place in range(3)]


@pytest.mark.parametrize(("package", "name"), [("ray", "ray"), ("submitit", "slurm")])
def test_a_missing_package_is_named_with_how_to_get_it(
    package: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=rf"--backend {name}: the package {package} is not .*metalens\[cluster\]"):
        BackendSettings(name).open(tmp_path, {})  # type: ignore[arg-type]


def test_workers_elsewhere_need_a_bank_that_is_a_file(
    photographs: list[Photograph], bank: PsfBank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BackendSettings, "open", lambda self, folder, here: Here(here))
    with pytest.raises(InputError, match=r"need the path of a psf\.h5"):
        generate_pairs(photographs, bank, tmp_path / "pairs", execution=Execution(BackendSettings("ray", 2)))


def test_at_least_one_worker_is_needed(photographs: list[Photograph], bank: PsfBank, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--workers 0: at least 1"):
        generate_pairs(photographs, bank, tmp_path / "pairs", execution=Execution(BackendSettings(workers=0)))
    assert not (tmp_path / "pairs").exists()


def test_nothing_in_a_manifest_tells_who_made_it(photographs: list[Photograph], bank: PsfBank, tmp_path: Path) -> None:
    generate_pairs(photographs, bank, tmp_path / "pairs")
    text = read_manifest(tmp_path / "pairs").model_dump_json()
    assert str(tmp_path) not in text
    assert "worker" not in text
