"""What JAX has compiled, kept for later processes in the user's cache folder.

Most of the first seconds of a simulation are compilation, of the same functions each time. JAX can keep them on disk,
and does so here unless it was told otherwise:

- ``JAX_COMPILATION_CACHE_DIR``, or the same option of JAX, names another folder, whose size is the user's affair.
- ``JAX_ENABLE_COMPILATION_CACHE=false`` or ``METALENS_COMPILATION_CACHE=off`` keeps nothing.
- ``METALENS_COMPILATION_CACHE=MEGABYTES`` bounds the size, by default to :data:`MEGABYTES`.

Entries are machine code: they lie apart by processor and version of JAX, in a folder that nobody else may write to.
Where the folder cannot be made or written, nothing is kept.
"""

from __future__ import annotations

import hashlib
import os
import platform
from pathlib import Path

from metalens.formats.files.cache_folder import cache_folder
from metalens.formats.files.errors import InputError

MEGABYTES = 512
"""Largest size of the folder, after the oldest entries were removed at the start of a process."""

KEPT = 0.75
"""Share of the largest size that remains when entries are removed, so that not every start removes some."""

SETTING = "METALENS_COMPILATION_CACHE"


def keep_compilations() -> Path | None:
    """Let JAX keep what it compiles, if nobody has decided otherwise.

    Returns:
        The folder; None if nothing is kept, or if JAX was given a folder already.
    """
    megabytes = _megabytes(os.environ.get(SETTING))
    if megabytes is None:
        return None
    import jax

    settings = jax.config.values
    if settings["jax_compilation_cache_dir"] is not None or not settings["jax_enable_compilation_cache"]:
        return None
    folder = compiled_folder()
    if not _is_ours(folder):
        return None
    bound_size(folder.parent, megabytes)
    jax.config.update("jax_compilation_cache_dir", str(folder))
    # A simulation compiles a hundred small functions, of a twentieth of a second each.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    return folder


def compiled_folder() -> Path:
    """Folder of this processor and this version of JAX, in the user's cache folder."""
    from importlib.metadata import version

    kind = hashlib.sha256(_processor().encode()).hexdigest()[:12]
    return cache_folder() / "compiled" / f"jax-{version('jaxlib')}-{kind}"


def bound_size(folder: Path, megabytes: float) -> None:
    """Remove the entries that were not read for the longest time, if all of them together are too large.

    Args:
        folder: holds them, in folders of its own.
        megabytes: largest size.
    """
    entries = []
    for path in folder.glob("*/*"):
        try:
            status = path.stat()
        except FileNotFoundError:  # another process removed it
            continue
        entries.append((max(status.st_atime, status.st_mtime), status.st_size, path))
    excess = sum(size for _, size, _ in entries) - 1e6 * megabytes
    if excess <= 0:
        return
    excess += 1e6 * megabytes * (1 - KEPT)
    for _, size, path in sorted(entries):
        if excess <= 0:
            break
        path.unlink(missing_ok=True)
        excess -= size


def _megabytes(setting: str | None) -> float | None:
    """Largest size in megabytes by the setting; None if nothing is to be kept."""
    if setting is None or not setting.strip():
        return MEGABYTES
    if setting.strip().lower() == "off":
        return None
    try:
        megabytes = float(setting)
    except ValueError:
        megabytes = -1.0
    if not 0 <= megabytes < float("inf"):
        raise InputError(f"{SETTING}={setting!r}: off, or the largest size in megabytes, was expected.")
    return megabytes or None


def _processor() -> str:
    """What compiled code depends on: a home may be shared by machines of several kinds."""
    described = Path("/proc/cpuinfo")
    lines = described.read_text().splitlines() if described.exists() else []
    features = [line for line in lines if line.startswith(("model name", "flags", "Features"))][:2]
    return "\n".join([platform.machine(), platform.processor(), *features])


def _is_ours(folder: Path) -> bool:
    """Make the folder; whether entries can be written there by this user and by nobody else."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        status = folder.stat()
    except OSError:
        return False
    if hasattr(os, "getuid") and (status.st_uid != os.getuid() or status.st_mode & 0o022):
        return False
    return os.access(folder, os.W_OK | os.X_OK)
