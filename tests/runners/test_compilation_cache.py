"""What JAX compiles is kept in the user's cache folder, unless somebody decided otherwise."""

import os
import subprocess
import sys

import jax
import pytest

from metalens.formats.files.errors import InputError
from metalens.runners.compilation_cache import SETTING, bound_size, compiled_folder, keep_compilations

OPTIONS = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")


@pytest.fixture
def undecided(monkeypatch, tmp_path):
    """JAX without a folder, and the user's caches in an empty one."""
    before = {name: getattr(jax.config, name) for name in OPTIONS}
    jax.config.update("jax_compilation_cache_dir", None)
    monkeypatch.setenv("METALENS_CACHE", str(tmp_path / "caches"))
    monkeypatch.delenv(SETTING, raising=False)
    yield tmp_path / "caches"
    for name, value in before.items():
        jax.config.update(name, value)


def test_compilations_are_kept_in_the_users_folder_of_caches(undecided):
    folder = keep_compilations()
    assert folder is not None
    assert folder.is_relative_to(undecided / "compiled")
    assert jax.config.jax_compilation_cache_dir == str(folder)
    assert folder.stat().st_mode & 0o077 == 0


def test_a_second_process_compiles_nothing_anew(undecided):
    code = "import metalens.optics, jax; print(jax.jit(lambda x: 3 * x + 1)(2.0))"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    kept = []
    for _ in range(2):
        run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        assert (run.stdout, run.stderr) == ("7.0\n", "")
        kept.append({path.name: path.stat().st_mtime_ns for path in undecided.rglob("*-cache")})
    assert kept[0]
    assert kept[1] == kept[0]


def test_a_folder_that_jax_was_given_stays(undecided, tmp_path):
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "own"))
    assert keep_compilations() is None
    assert jax.config.jax_compilation_cache_dir == str(tmp_path / "own")
    assert not undecided.exists()


@pytest.mark.parametrize("setting", ["off", " OFF ", "0"])
def test_it_can_be_switched_off(undecided, monkeypatch, setting):
    monkeypatch.setenv(SETTING, setting)
    assert keep_compilations() is None
    assert jax.config.jax_compilation_cache_dir is None
    assert not undecided.exists()


@pytest.mark.parametrize("setting", ["on", "-1", "nan", "inf"])
def test_a_size_that_is_none_is_refused(undecided, monkeypatch, setting):
    monkeypatch.setenv(SETTING, setting)
    with pytest.raises(InputError, match=f"{SETTING}='{setting}': off, or the largest size in megabytes"):
        keep_compilations()


def test_nothing_is_kept_where_the_folder_cannot_be_made(undecided):
    undecided.write_text("a file")
    assert keep_compilations() is None
    assert jax.config.jax_compilation_cache_dir is None


def test_nothing_is_kept_where_others_may_write(undecided):
    compiled_folder().mkdir(parents=True)
    compiled_folder().chmod(0o777)
    assert keep_compilations() is None


def test_the_entries_read_longest_ago_are_removed_first(tmp_path):
    for age in range(10):
        path = tmp_path / "kind" / f"{age}-cache"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(100_000))
        os.utime(path, (1e9 - age, 1e9 - age))
    bound_size(tmp_path, 1.0)
    assert len(list(tmp_path.glob("*/*"))) == 10
    bound_size(tmp_path, 0.8)
    assert sorted(path.name for path in tmp_path.glob("*/*")) == [f"{age}-cache" for age in range(6)]
