"""Generate a training set: photographs and a camera's point spread functions in, a folder of pairs out."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from metalens.runners.backend import BackendSettings
from metalens.synth.dataset.settings import PairsSettings
from metalens.synth.dataset.shard_scheduler import Execution, PairsReport
from metalens.synth.generate import PairsOptions
from metalens.synth.generate import generate_pairs as generate
from metalens.synth.photograph_sources import PhotographSource, photographs_of
from metalens.workflows.banks import BankSource, banks_of


def generate_pairs(
    photographs: PhotographSource | Sequence[PhotographSource],
    bank: BankSource | Sequence[BankSource],
    output: str | os.PathLike[str],
    *,
    count: int | None = None,
    pixels: tuple[int, int] | None = None,
    settings: Mapping[str, Any] | PairsSettings | None = None,
    seed: int = 0,
    shard_size: int | None = None,
    workers: int = 1,
    resume: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> PairsReport:
    """Write a folder of pairs: each photograph as an ideal lens would image it, and as this camera does.

    The result depends on photographs, banks, settings and seed alone, not on ``workers`` or interruptions.

    Args:
        photographs: files and folders of pictures; ``embedded:train`` and ``embedded:held-out`` are those that come
            with the installed packages; ``hf:user/name`` are those of a dataset on the model hub.
        bank: the camera's point spread functions, their ``psf.h5``, or the camera, its preset or ``lens.toml``; several
            for an ensemble of lenses, of which each pair takes one.
        output: the folder to make.
        count: pairs in all, 1 or more, shared evenly over the photographs; by default one a photograph.
        pixels: rows, columns of the pairs, each at a random place of the sensor; by default the whole sensor.
        settings: keys of :class:`metalens.synth.dataset.settings.PairsSettings`, such as
            ``{"exposure": (0.3, 1.0), "validation": 0.2}``; ``{"cropping": "centre"}`` for a test set.
        seed: seed of crops and noise, 0 or more.
        shard_size: pairs per file; by default as many as make 256 MiB of pictures, at most 64.
        workers: parallel processes; 1 is this process itself.
        resume: continue an interrupted run with the same settings.
        progress: called with the pairs done and their total.

    Returns:
        What was done; :func:`metalens.read_pairs` opens the folder.

    Raises:
        InputError: no photograph can be used, a setting makes no sense, or the folder is there or cannot be written.

    References:
        The captures are those of :func:`metalens.simulate_capture`. The kinds of pairs are those of DMDiff (ICCV 2025),
        arXiv 2506.22753. Neutral target: guided filter, K. He, J. Sun and X. Tang, IEEE Trans. Pattern Anal. Mach.
        Intell. 35, 1397 (2013), doi:10.1109/TPAMI.2012.213.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> import metalens
        >>> camera = metalens.read_camera("hyperbolic").with_(
        ...     lens={"aperture_um": 40, "focal_length_um": 100}, sensor={"pixels": (16, 16), "pixel_pitch_um": 1}
        ... )
        >>> bank = metalens.simulate_bank(camera, fields=(1, 1), wavelengths_per_channel=1, window=(25, 25))
        >>> with TemporaryDirectory() as folder:
        ...     report = generate_pairs("embedded:train", bank, f"{folder}/pairs", count=3)
        ...     clean, captured = metalens.read_pairs(f"{folder}/pairs")[0]
        >>> report.count, clean.shape, captured.dtype
        (3, (16, 16, 3), dtype('uint8'))
    """
    chosen = settings if isinstance(settings, PairsSettings) else PairsSettings(**(settings or {}))
    options = PairsOptions(count=count, pixels=pixels, seed=seed, settings=chosen, shard_size=shard_size)
    execution = Execution(BackendSettings(workers=workers), progress=progress or (lambda done, total: None))
    found = photographs_of(photographs, streaming=True)
    return generate(found, banks_of(bank), output, options, resume=resume, execution=execution)
