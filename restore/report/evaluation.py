"""Evaluate a restorer on held-out pairs: collect the pictures of all stages and write the report."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from glob import escape
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from metalens.formats.files.atomic import require_new_directory
from metalens.formats.files.errors import InputError
from metalens.formats.files.input_file import require_folder
from metalens.formats.files.json_file import read_record
from metalens.formats.pairs.reader import Pairs, pair_names, read_pairs, require_same_camera
from metalens.formats.pictures.pictures import read_picture
from metalens.formats.psf.bank import PsfBank
from metalens.formats.psf.bank_file import read_psf_bank
from metalens.restore.adapter.adapter_file import adapter_folder, describe_adapter
from metalens.restore.deconvolution.joint_wiener import tune_noise_scale, wiener_joint
from metalens.restore.deconvolution.wiener import tune_regulariser, wiener_tiled
from metalens.restore.inference.restored_names import restored_name, uncertainty_name
from metalens.restore.inference.uncertainty import from_grey
from metalens.restore.methods.tuning import tuning_pairs
from metalens.restore.methods.wiener import tuned_setting
from metalens.restore.report.report import Sample, write_report
from metalens.restore.training.log import TrainingHistory
from metalens.runners.processes import processor_name

Report = Callable[[int, int], None]

_VERSIONED = ("torch", "diffusers", "peft", "jax", "numpy", "scipy", "h5py")
_NUMBER = re.compile(r"-?\d+(\.\d+)?(e-\d+)?")
"""α in the name of a restored picture."""


_Cost = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]


class Stage(BaseModel):
    """An entry of ``stages.json``; further keys are kept.

    Attributes:
        name: of the stage.
        seconds: that it took.
        peak_memory_mb: the most that it needed.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str
    seconds: _Cost | None = None
    peak_memory_mb: _Cost | None = None


@dataclass(frozen=True)
class EvaluationInputs:
    """What a report compares.

    Attributes:
        psf: the camera's ``psf.h5``.
        pairs: held-out pairs.
        restored: output of ``metalens restore`` for these pairs.
        adapter: the adapter that restored them.
        tune: other pairs, on which the regularisation of the Wiener filters is chosen.
        stages: JSON file with time and memory of the stages, as the demo writes it.
        curves: further adapters whose training losses are drawn.
    """

    psf: Path
    pairs: Path
    restored: Path
    adapter: str
    tune: Path
    stages: Path | None = None
    curves: Sequence[str] = ()


def evaluate(output: Path, inputs: EvaluationInputs, progress: Report = lambda done, total: None) -> dict[str, Any]:
    """Write a report on held-out pairs.

    Args:
        output: the report's new folder.
        inputs: what is compared.
        progress: progress callback: pictures done, pictures in all.

    Returns:
        Content of ``report.json``.

    Raises:
        InputError: a file is missing, damaged or of another camera, or a restored picture is missing.
    """
    bank, adapter = read_psf_bank(inputs.psf), inputs.adapter
    pairs, tuning, description = _checked(output, inputs, bank)
    drawn, stages = _curves([*inputs.curves, adapter]), _stages(inputs.stages)
    names = pair_names(pairs)
    restored = [restored_pictures(name, inputs.restored) for name in names]
    noise_to_signal, noise_scale = (tuned_setting(each, tuning, bank) for each in (tune_regulariser, tune_noise_scale))
    samples = []
    for number, name in enumerate(names):
        progress(number, len(pairs))
        pair = pairs.sample(number)
        filtered = (
            wiener_tiled(pair.degraded, bank, noise_to_signal, place=pair.position),
            wiener_joint(pair.degraded, bank, noise_scale, place=pair.position),
        )
        expected = expected_errors(name, inputs.restored, restored[number])
        samples.append(Sample(name, pair.clean, pair.degraded, *filtered, restored[number], expected))
    progress(len(pairs), len(pairs))
    return write_report(
        output,
        bank=bank,
        samples=samples,
        training={
            "curves": drawn,
            "adapter": description["training"],
        },
        stages=stages,
        provenance={
            "versions": {"metalens": version("metalens"), "python": platform.python_version()}
            | {package: version(package) for package in _VERSIONED},
            "machine": {"processor": processor_name(), "system": platform.platform()},
            "seeds": {
                "pairs": tuning.manifest.seed,
                "held_out": pairs.manifest.seed,
                "training": description["training"].get("config", {}).get("seed"),
            },
            "hashes": {"lens": bank.camera.hash, "prior": description["prior"]["identity"]},
            "wiener_noise_to_signal": noise_to_signal,
            "wiener_joint_noise_scale": noise_scale,
        },
    )


def check_evaluation(output: Path, inputs: EvaluationInputs, bank: PsfBank) -> tuple[Pairs, int]:
    """Check what a report compares, as :func:`evaluate` does, without computing anything.

    Args:
        output: the report's new folder.
        inputs: what is compared; the psf is not read.
        bank: the camera's point spread functions.

    Returns:
        The held-out pairs, and the number of their restored pictures.

    Raises:
        InputError: as :func:`evaluate`.
    """
    pairs, _, _ = _checked(output, inputs, bank)
    _curves([*inputs.curves, inputs.adapter])
    _stages(inputs.stages)
    return pairs, sum(len(restored_pictures(name, inputs.restored)) for name in pair_names(pairs))


def _checked(output: Path, inputs: EvaluationInputs, bank: PsfBank) -> tuple[Pairs, Pairs, dict[str, Any]]:
    require_new_directory(output)
    pairs, tuning = read_pairs(inputs.pairs), read_pairs(inputs.tune)
    require_same_camera(pairs, bank)
    require_same_camera(tuning, bank)
    tuning_pairs(tuning, 1)
    description = describe_adapter(inputs.adapter)
    for each in inputs.curves:
        describe_adapter(each)
    return pairs, tuning, description


def restored_pictures(name: str, restored_folder: Path) -> dict[float, np.ndarray]:
    """The restored pictures of one pair by their α; maps of their expected error lie beside them and are left out.

    Args:
        name: of the pair.
        restored_folder: output of ``metalens restore``.

    Returns:
        α → ``[y, x, 3]`` uint8.

    Raises:
        InputError: there is none, or its name tells no α.
    """
    require_folder(restored_folder, "give a folder that `metalens restore` wrote")
    found = sorted(restored_folder.glob(f"{escape(name)}-alpha*.png"))
    maps = {uncertainty_name(path.name) for path in found}
    paths = [path for path in found if path.name not in maps]
    prefix = restored_name(name, 0).removesuffix("0.png")
    restored: dict[float, np.ndarray] = {}
    for path in paths:
        alpha = path.name.removeprefix(prefix).removesuffix(".png")
        if not _NUMBER.fullmatch(alpha):
            raise InputError(f"{path}: its name tells α as {alpha!r}, a number was expected; restore it again.")
        restored[float(alpha)] = read_picture(path)
    if not restored:
        raise InputError(f"{restored_folder}: holds no {restored_name(name, 0.75)} or other α of {name}; restore it.")
    return restored


def expected_errors(name: str, restored_folder: Path, alphas: Iterable[float]) -> dict[float, np.ndarray]:
    """The maps of ``metalens restore --uncertainty`` for one pair, by α; none for those that have none.

    Args:
        name: of the pair.
        restored_folder: output of ``metalens restore``.
        alphas: of the restored pictures.

    Returns:
        α → ``[y, x]`` float32, the expected error in display values.
    """
    paths = {alpha: restored_folder / uncertainty_name(restored_name(name, alpha)) for alpha in alphas}
    return {alpha: from_grey(read_picture(path)[..., 0]) for alpha, path in paths.items() if path.is_file()}


def _curves(adapters: Sequence[str]) -> dict[str, dict[str, list[float]]]:
    """The training curves of all adapters with at least one training step."""
    found = {Path(each).name: _curve(each) for each in adapters if _has_history(each)}
    return {name: curve for name, curve in found.items() if curve["step"]}


def _has_history(adapter: str) -> bool:
    return (adapter_folder(adapter) / "training.json").is_file()


def _curve(adapter: str) -> dict[str, list[float]]:
    """The training loss of an adapter on its positive path; the levels of the paths differ too much to join them."""
    path = adapter_folder(adapter) / "training.json"
    history = read_record(path, TrainingHistory, "training history", "train again").history
    positive = [row for row in history if row.path == "positive"] or history
    return {"step": [row.step for row in positive], "loss": [row.loss for row in positive]}


def _stages(path: Path | None) -> list[dict[str, Any]]:
    if path is None:
        return []
    stages = read_record(path, list[Stage], "list of stages", "give the stages.json of a demo")
    return [stage.model_dump(exclude_unset=True) for stage in stages]
