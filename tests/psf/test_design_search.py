"""The search: it finds what is known, stops, and goes on as if it had not been stopped."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalens.formats.camera.camera import read_camera
from metalens.formats.design.spec import DesignSpec, parse_design
from metalens.formats.files.errors import InputError
from metalens.optics import Hyperbolic
from metalens.optics.from_lens_toml import metalens_of
from metalens.psf.design.checkpoint import SearchState, read_state, write_state
from metalens.psf.design.evaluation import evaluate_camera
from metalens.psf.design.run import checkpoint_of, design_lens, designed_camera, task_of
from metalens.psf.design.search import Gradient, Task, best_of, first_state, run_search
from metalens.psf.rays import chief_ray, direction_to

from .design_examples import design_text

SPEC_TABLES = """
[variables]
family = "even_polynomial"
terms = 3

[start]
families = ["quadratic"]
wavelengths_nm = [480.0]
steps = 2

[sampling]
fields_deg = [0.0]
window_pixels = 17

[[objectives]]
kind = "strehl"

[search]
steps = 60
learning_rate = 0.3
"""
SPEC = design_text(SPEC_TABLES, wavelengths_nm=(532.0, 532.0, 532.0))


def small(**changes: str) -> DesignSpec:
    text = SPEC
    for key, value in changes.items():
        before = next(line for line in text.splitlines() if line.startswith(f"{key} ="))
        text = text.replace(before, f"{key} = {value}")
    return parse_design(text)


def states_equal(a: SearchState, b: SearchState) -> bool:
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in SearchState.__dataclass_fields__)


def test_on_axis_and_in_one_colour_the_best_lens_is_the_hyperbolic_one(tmp_path: Path) -> None:
    # The start is made for a focus a tenth farther: two thirds of a wave of defocus over the lens.
    spec = small(families='["hyperbolic"]')
    found = design_lens(spec, tmp_path / "lens.toml")
    perfect = (60**2 / 10**2 * np.log(1 + 10**2 / 60**2)) ** 2
    strehl = evaluate_camera(found.camera, "designed", (0.0,)).strehl[0, 0]
    assert strehl == pytest.approx(perfect, rel=2e-3)
    # And its phase is the hyperbolic one, to a twentieth of a wave.
    radius = jnp.linspace(0, 9e-6, 50)
    wanted = Hyperbolic(60e-6, 532e-9).at(jnp.zeros(50), radius)
    numbers, _ = best_of(found.state)
    phase = found.task.variables.phase(jnp.asarray(numbers)).at(jnp.zeros(50), radius)
    error = np.asarray(phase - wanted)
    assert np.ptp(error) < 0.3
    assert read_camera(tmp_path / "lens.toml") == found.camera
    assert not checkpoint_of(tmp_path / "lens.toml").exists()


STOPPED = """
aperture_um = 1000.0
focal_length_um = 800.0
stop = {{ diameter_um = {pupil}, distance_um = {air} }}
phase = {{ family = "even_polynomial", radius_um = 500.0, coefficients_rad = {numbers} }}"""

WANDERING = (
    ('["quadratic"]', '["camera"]'),
    ("terms = 3", "terms = 4"),
    ("learning_rate = 0.3", "learning_rate = 3000.0"),
    ("steps = 60", "steps = 6"),
    ('"strehl"', '"mtf"'),
)


class Wandering:
    """In the place of the compiled gradients: a lower loss at every step, in directions from a generator."""

    def __init__(self, task: Task, seed: int) -> None:
        self._task, self._generator, self._loss = task, np.random.default_rng(seed), 0.0
        self.visited: list[np.ndarray] = []

    def planned_for(self, _: np.ndarray) -> Gradient:
        return self.next

    def next(self, numbers: jax.Array) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        self._loss -= 1.0
        self.visited.append(np.asarray(numbers))
        gradient = self._generator.normal(size=numbers.shape)
        return (jnp.asarray(self._loss), jnp.zeros(len(self._task.problem.spec.objectives))), jnp.asarray(gradient)


@settings(max_examples=8, deadline=None)
@given(
    numbers=st.lists(st.floats(-300, 300), min_size=3, max_size=3),
    air=st.floats(50, 500),
    pupil=st.floats(40, 200),
    seed=st.integers(0, 9),
)
def test_every_lens_of_a_search_is_reached_by_chief_rays_everywhere(
    numbers: list[float], air: float, pupil: float, seed: int
) -> None:
    """Steps of thousands of radians leave the lenses whose image is monotone in the field; the search does not."""
    lens = STOPPED.format(pupil=pupil, air=air, numbers=[-2000.0 + numbers[0], *numbers[1:]])
    text = design_text(SPEC_TABLES, lens=lens, pixels=700, wavelengths_nm=(532.0, 532.0, 532.0))
    for old, new in WANDERING:
        text = text.replace(old, new)
    try:
        task = task_of(parse_design(text))
    except InputError as error:
        assert "none of its starts can be simulated on the whole sensor; of the camera's" in str(error)  # noqa: PT017
        return
    wandering = Wandering(task, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("metalens.psf.design.search.Gradients", lambda _: wandering)
        state = run_search(task, first_state(task))
    assert len(wandering.visited) == 3 + 6
    lenses = [task.lens(each) for each in wandering.visited]
    for lens, share in [*((each, 1.0) for each in lenses), (metalens_of(designed_camera(task, state, Path("a"))), 0.6)]:
        y, x = (share * 350e-6,) * 2
        direction = direction_to(lens, 532e-9, y, x)
        landing = np.asarray(chief_ray(lens, jnp.asarray(532e-9), jnp.asarray(direction)).landing)
        np.testing.assert_allclose(landing, (y, x), atol=1e-8)


class Stopped(Exception):
    """What an interruption raises."""


# The file of an interrupted search is compared with a whole one, below.
@pytest.mark.long
def test_a_search_in_parts_is_the_search_in_one_go(tmp_path: Path) -> None:
    task = task_of(small(steps="2"))
    whole = run_search(task, first_state(task))
    assert len(whole.history) == 3 + 60

    def stop(done: int, total: int, loss: float) -> None:
        if done == 4:
            raise Stopped

    def save(state: SearchState) -> None:
        write_state(tmp_path / "state.npz", state, {"name": "small"})

    # In the middle of the search itself, whose last saved state is that of the third step, the last of the trial.
    with pytest.raises(Stopped):
        run_search(task, first_state(task), save=save, save_every=0.0, progress=stop)
    state = read_state(tmp_path / "state.npz", {"name": "small"}, first_state(task), len(task.starts))
    assert len(state.history) == 3
    assert states_equal(run_search(task, state), whole)


def test_the_same_seed_gives_the_same_starts_and_another_one_others() -> None:
    spec = small(families='["quadratic"]\nrandom = 2')
    once, again = task_of(spec).starts, task_of(spec).starts
    assert [start.name for start in once][1:] == [
        "quadratic 480 nm, random phase 1",
        "quadratic 480 nm, random phase 2",
    ]
    assert all(np.array_equal(a.numbers, b.numbers) for a, b in zip(once, again, strict=True))
    other = spec.model_copy(update={"search": spec.search.model_copy(update={"seed": 1})})
    assert np.array_equal(task_of(other).starts[0].numbers, once[0].numbers)
    assert not np.array_equal(task_of(other).starts[1].numbers, once[1].numbers)


@pytest.mark.long
def test_the_best_start_is_followed_and_the_best_lens_is_kept() -> None:
    task = task_of(small(wavelengths_nm="[400.0, 530.0]", steps="2"))
    state = run_search(task, first_state(task))
    assert state.trial_loss[1] < state.trial_loss[0]
    rows = state.history[state.history[:, 0] == 2]
    assert rows[0, 1] == pytest.approx(state.trial_loss[1], abs=1e-5)
    assert best_of(state)[1] == state.history[:, 1].min()


def test_without_progress_patience_ends_the_search() -> None:
    spec = small(wavelengths_nm="[530.0]")
    spec = spec.model_copy(update={"search": spec.search.model_copy(update={"patience": 3, "progress": 10.0})})
    task = task_of(spec)
    state = run_search(task, first_state(task))
    # The first step is progress against nothing; of the next ones, none falls by ten.
    assert (state.history[:, 0] == 1).sum() == 4


# In a process of its own, which compiles anew; an interrupted search is below.
@pytest.mark.long
def test_a_killed_run_goes_on_to_the_same_lens(tmp_path: Path) -> None:
    (tmp_path / "design.toml").write_text(SPEC.replace("steps = 2", "steps = 20"), encoding="utf-8")
    assert parse_design((tmp_path / "design.toml").read_text()).start.steps == 20
    spec = parse_design((tmp_path / "design.toml").read_text())
    program = (
        "import sys; from pathlib import Path; import metalens.psf.design.search as search\n"
        "from metalens.psf.design.run import design_lens; from metalens.formats.design.spec import read_design\n"
        "search.run_search.__kwdefaults__['save_every'] = 0.0\n"
        "design_lens(read_design(Path(sys.argv[1]) / 'design.toml'), Path(sys.argv[1]) / 'killed.toml')\n"
    )
    killed = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)])
    place = checkpoint_of(tmp_path / "killed.toml")
    while not place.exists():
        assert killed.poll() is None
        time.sleep(0.01)
    killed.kill()
    killed.wait()
    assert not (tmp_path / "killed.toml").exists()
    with np.load(place, allow_pickle=False) as kept:
        assert len(kept["history"]) < 21 + 60
    design_lens(spec, tmp_path / "killed.toml", resume=True)
    design_lens(spec, tmp_path / "whole.toml")
    assert (tmp_path / "killed.toml").read_text() == (tmp_path / "whole.toml").read_text()
    left = sorted(path.name for path in tmp_path.iterdir() if not path.name.endswith(".part"))
    assert left == ["design.toml", "killed.toml", "whole.toml"]


@pytest.mark.long
def test_time_that_is_up_leaves_the_best_lens_and_a_search_to_go_on_with(tmp_path: Path) -> None:
    output = tmp_path / "lens.toml"
    spec = small(steps="4")
    first = design_lens(spec, output, minutes=1e-9)
    assert not first.state.finished
    assert output.exists()
    with pytest.raises(InputError, match="exists already, and nothing is overwritten"):
        design_lens(spec, output)
    output.unlink()
    with pytest.raises(InputError, match="go on with --resume"):
        design_lens(spec, output)
    with pytest.raises(InputError, match=r"cannot be resumed, start\.steps was 4 and is now 5"):
        design_lens(small(steps="5"), output, resume=True)
    last = design_lens(spec, output, resume=True)
    assert last.state.finished
    assert last.loss < first.loss
    with pytest.raises(InputError, match="its search is finished"):
        design_lens(spec, output, resume=True)


def test_a_broken_checkpoint_is_refused(tmp_path: Path) -> None:
    place, task = tmp_path / "state.npz", task_of(small())
    first = first_state(task)

    def read() -> SearchState:
        return read_state(place, {"name": "small"}, first, len(task.starts))

    with pytest.raises(InputError, match="no search to go on with"):
        read()
    place.write_bytes(b"PK nothing")
    with pytest.raises(InputError, match="damaged or no checkpoint"):
        read()
    with place.open("wb") as file:
        np.savez(file, state=np.array({"pickled": 1}, dtype=object))
    with pytest.raises(InputError, match="damaged or no checkpoint"):
        read()
    for change, said in (
        ({"numbers": np.zeros(9)}, "an array is of another size"),
        ({"history": np.zeros(3)}, "an array is of another size"),
        ({"trial": 2}, "an array is of another size"),
        ({"trial": -1}, "not a readable checkpoint of a search"),
        ({"trial": len(task.starts) + 1}, "an array is of another size"),
        ({"best": first.best * np.nan}, "a number is not finite"),
    ):
        write_state(place, replace(first, **change), {"name": "small"})  # type: ignore[arg-type]
        with pytest.raises(InputError, match=said):
            read()
    arrays = {name: getattr(first, name) for name in ("numbers", "moments", "planned", "best", "trial_best")}
    for state in ("[" * 100_000, "{}", '{"asked": []}'):
        with place.open("wb") as file:
            np.savez(file, state=np.array(state), trial_loss=first.trial_loss, history=first.history, **arrays)
        with pytest.raises(InputError, match="not a readable checkpoint of a search"):
            read()
    with place.open("wb") as file:
        np.savez_compressed(file, state=np.zeros(2**26))
    with pytest.raises(InputError, match="bytes when unpacked"):
        read()


def test_an_interrupted_search_is_kept_where_it_stopped_and_resume_of_nothing_begins(tmp_path: Path) -> None:
    spec, output = small(steps="4"), tmp_path / "lens.toml"

    def interrupt(done: int, total: int, loss: float) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        design_lens(spec, output, progress=interrupt)
    with np.load(checkpoint_of(output), allow_pickle=False) as kept:
        assert len(kept["history"]) == 3
    design_lens(spec, output, resume=True)
    design_lens(spec, tmp_path / "whole.toml", resume=True)
    assert output.read_text() == (tmp_path / "whole.toml").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lens.toml", "whole.toml"]


def test_a_second_search_for_the_same_lens_is_refused_while_the_first_is_on(tmp_path: Path) -> None:
    spec, output = small(steps="1"), tmp_path / "lens.toml"

    def second(done: int, total: int, loss: float) -> None:
        with pytest.raises(InputError, match=r"lens\.toml: another run is writing here"):
            design_lens(spec, output, resume=True)

    assert design_lens(spec, output, minutes=1e-9, progress=second).camera is not None
