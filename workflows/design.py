"""Design a lens: a specification in, the camera with the best lens out."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from metalens.formats.design.spec import DesignSpec, read_design
from metalens.formats.files.arguments import require_number, require_whole
from metalens.formats.files.atomic import require_place
from metalens.formats.files.errors import InputError
from metalens.formats.files.input_file import real_path
from metalens.psf.design.run import Design, design_lens


def design(
    spec: str | os.PathLike[str] | DesignSpec,
    output: str | os.PathLike[str],
    *,
    minutes: float | None = None,
    seed: int | None = None,
    resume: bool = False,
    progress: Callable[[int, int, float], None] | None = None,
) -> Design:
    """Design a lens by gradients through the whole simulation, and write its ``lens.toml``.

    Args:
        spec: a ``design.toml``, the name of a shipped specification such as ``held``, or a specification that
            :func:`metalens.read_design` gave.
        output: the ``lens.toml`` to write. The state of the search is kept beside it until the search is finished.
        minutes: time limit of the search, above 0. Then the best lens so far is written, and ``resume`` continues.
        seed: seed of the random starts, 0 to 2⁶³ − 1; by default the specification's.
        resume: continue the search whose state is kept beside the output.
        progress: called with the steps done, their largest number and the best loss.

    Returns:
        The design: ``camera`` with the best lens, its ``loss``, and the history of the search in ``state``.

    Raises:
        InputError: the specification cannot be read or contradicts itself, a file that it names does not lie beside the
            output, the output exists, or there is nothing to go on with.

    References:
        The search: D. P. Kingma and J. Ba, Adam, ICLR (2015), arXiv 1412.6980. docs/design.md defines the objectives.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> spec = read_design("held").with_(
        ...     camera={"lens": {"aperture_um": 20, "focal_length_um": 40}, "sensor": {"pixels": (16, 16)}},
        ...     variables={"terms": 1},
        ...     start={"families": ["quadratic"], "wavelengths_nm": [511], "steps": 0},
        ...     sampling={"fields_deg": [0], "window_pixels": 9},
        ...     search={"steps": 1},
        ... )
        >>> with TemporaryDirectory() as folder:
        ...     found = design(spec, f"{folder}/lens.toml")
        >>> found.camera.lens.phase.family, found.state.finished
        ('even_polynomial', True)
    """
    target = Path(output)
    return design_lens(
        checked_spec(spec, target, minutes=minutes, seed=seed),
        target,
        resume=resume,
        minutes=minutes,
        progress=progress,
    )


def checked_spec(
    spec: str | os.PathLike[str] | DesignSpec, output: Path, *, minutes: float | None = None, seed: int | None = None
) -> DesignSpec:
    """Read and check a specification before the long search begins, and set its seed.

    Args:
        spec: as :func:`design`.
        output: as :func:`design`.
        minutes: as :func:`design`.
        seed: as :func:`design`.

    Returns:
        The specification with ``seed`` if that is given, else as it was read; ``minutes`` is only checked.

    Raises:
        InputError: as :func:`design`.
    """
    asked = spec if isinstance(spec, DesignSpec) else read_design(spec)
    if asked.explore is not None:
        raise InputError(
            f"design {asked.name}: has a table [explore], so its architecture is free; use metalens explore, or take "
            "the table out to design a lens for its camera as it is."
        )
    if seed is not None:
        require_whole(seed, "design: seed")
        if not 0 <= seed < 2**63:
            raise InputError(f"design: seed {seed} must lie between 0 and 2^63 - 1.")
        asked = asked.with_(search={"seed": seed})
    if minutes is not None:
        require_number(minutes, "design: minutes")
        if not minutes > 0:
            raise InputError(f"design: minutes {minutes:g} must be more than 0.")
    require_place(output)
    # The files that a lens.toml names lie beside it, also beside the one that is written.
    asked.camera.in_folder(real_path(output).parent)
    return asked
