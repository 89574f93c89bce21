"""Results of designs and of comparisons in the project, as figures to be set side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from metalens.app.project import Project
from metalens.formats.camera.camera import read_camera
from metalens.formats.files.errors import InputError
from metalens.formats.files.json_file import read_json

FIGURES: dict[str, Literal["higher", "lower"]] = {
    "aperture (µm)": "lower",
    "focal length (µm)": "lower",
    "f-number": "lower",
    "steps": "lower",
    "loss": "lower",
    "PSNR (dB)": "higher",
    "SSIM": "higher",
    "ST-LPIPS": "lower",
}
"""Name of a figure → what is better."""

_LARGEST = 2**26
_OF_COMPARISON = {"psnr": "PSNR (dB)", "ssim": "SSIM", "st_lpips": "ST-LPIPS"}


@dataclass(frozen=True)
class DesignResult:
    """A lens with what is known of it.

    Attributes:
        name: of the design, or of the lens in a comparison.
        figures: those of :data:`FIGURES` that are known.
    """

    name: str
    figures: dict[str, float]


def results_in(project: Project) -> list[DesignResult]:
    """All results of a project."""
    found = []
    for path in sorted(project.part("designs").glob("*.toml")):
        try:
            found.append(_designed(project, path.stem))
        # A file that was damaged by hand is said where it is used, not here.
        except InputError:
            continue
    for name in project.listed("compare.json"):
        found += _compared(project, name)
    return found


def _designed(project: Project, name: str) -> DesignResult:
    from metalens.app.job import Job

    lens = read_camera(project.own / "designs" / f"{name}.toml").lens
    answer = Job(project, f"design-{name}").answer()
    figures = _sizes(lens.aperture_um, lens.focal_length_um)
    figures |= {key: float(answer[key]) for key in ("loss", "steps") if isinstance(answer.get(key), int | float)}
    return DesignResult(name, figures)


def _sizes(aperture: float, focal_length: float) -> dict[str, float]:
    return {"aperture (µm)": aperture, "focal length (µm)": focal_length, "f-number": focal_length / aperture}


def _compared(project: Project, name: str) -> list[DesignResult]:
    """The lenses of a ``compare.json``, a row for each way of restoring."""
    path = project.inside(name)
    try:
        content = read_json(path, "comparison", "run metalens compare again", largest=_LARGEST)
        return [row for lens in content["lenses"] for row in _rows(lens)]
    # Another program's file of the same name holds no comparison.
    except (InputError, KeyError, TypeError, ValueError):
        return []


def _rows(lens: dict[str, Any]) -> list[DesignResult]:
    sizes = _sizes(float(lens["aperture_um"]), float(lens["focal_length_um"]))
    rows = []
    for version, told in lens["versions"].items():
        figures = {_OF_COMPARISON[key]: float(value) for key, value in told["figures"].items() if key in _OF_COMPARISON}
        rows.append(DesignResult(f"{lens['name']}, {version}", sizes | figures))
    return rows
