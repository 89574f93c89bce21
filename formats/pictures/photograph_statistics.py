"""Statistics of photographs: the cross-spectral density of their three colours in linear light.

Red, green and blue of a photograph are correlated, more so for finer detail. A sharp channel therefore shows the edges
of the others. The statistics here are those of a stationary process with the density P(ν) = C(ν) / ν², a
matrix over the colours that is taken to be real and the same in all directions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from metalens.formats.files.errors import InputError
from metalens.formats.files.json_file import parse_record
from metalens.formats.files.schema_version import WHOLE

SCHEMA = "metalens.photograph_statistics"

LEAST_SHARE = 1e-9
"""Share of a covariance's largest eigenvalue: below it, the smallest one of grey photographs is rounding and has no
sign.
"""

Matrix = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]


@dataclass(frozen=True)
class PhotographStatistics:
    """The cross-spectral density of photographs' colours.

    Attributes:
        frequency: ``[band]`` in cycles per pixel of the sensor, ascending.
        covariance: ``[band, 3, 3]`` C(ν) = ν² P(ν), symmetric and positive, in shares of white squared.
    """

    frequency: np.ndarray
    covariance: np.ndarray

    def __post_init__(self) -> None:
        bands = len(self.frequency)
        if bands < 1 or np.shape(self.covariance) != (bands, 3, 3) or np.any(np.diff(self.frequency) <= 0):
            raise InputError(
                f"photograph statistics: found {bands} frequencies and covariances of shape "
                f"{np.shape(self.covariance)}, expected ascending frequencies and a 3 × 3 matrix for each."
            )
        matrices = np.asarray(self.covariance)
        if not (np.all(np.isfinite(matrices)) and np.array_equal(matrices, matrices.swapaxes(1, 2))):
            raise InputError(
                "photograph statistics: a covariance of the colours is not symmetric and finite; the covariance of red "
                "with green is that of green with red."
            )
        least, _, largest = np.moveaxis(np.linalg.eigvalsh(matrices), -1, 0)
        if np.any(least <= LEAST_SHARE * np.abs(largest)):
            raise InputError(
                "photograph statistics: a covariance of the colours is not positive definite; measure it from more "
                "photographs, or from ones with colour."
            )

    def precision(self, frequency: np.ndarray) -> np.ndarray:
        """P⁻¹ at frequencies ``[...]`` in cycles per pixel: ``[..., 3, 3]``, 0 at frequency 0.

        Between the bands C(ν) is linear in log ν, so that it stays positive; beyond them it is constant.
        """
        safe = np.where(frequency > 0, frequency, 1.0)
        place = np.interp(np.log(safe), np.log(self.frequency), np.arange(len(self.frequency)))
        left = np.minimum(place.astype(int), max(len(self.frequency) - 2, 0))
        share = (place - left)[..., None, None]
        right = np.minimum(left + 1, len(self.frequency) - 1)
        between = (1 - share) * self.covariance[left] + share * self.covariance[right]
        return np.asarray(np.square(frequency)[..., None, None] * np.linalg.inv(between))

    def separate(self) -> PhotographStatistics:
        """The same spectra without any correlation between colours: each channel stands alone."""
        return PhotographStatistics(self.frequency, self.covariance * np.eye(3))


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")
    schema_: Literal["metalens.photograph_statistics"] = Field(alias="schema")
    version: Annotated[Literal[1], WHOLE]
    source: str
    frequency_cycles_per_pixel: Annotated[tuple[float, ...], Field(min_length=1)]
    covariance: Annotated[tuple[Matrix, ...], Field(min_length=1)]


def parse_photograph_statistics(text: str | bytes, origin: str) -> PhotographStatistics:
    """Statistics from the JSON that ``scripts/photograph_statistics.py`` writes.

    Args:
        text: the file's content.
        origin: what errors call it.

    Returns:
        Spatial frequencies in cycles per pixel, and the covariances.

    Raises:
        InputError: it has another form, or a covariance is not positive.
    """
    advice = "make it with scripts/photograph_statistics.py"
    content = parse_record(text, _File, "file of photograph statistics", advice, origin=origin)
    try:
        return PhotographStatistics(np.array(content.frequency_cycles_per_pixel), np.array(content.covariance))
    except InputError as error:
        raise InputError(f"{origin}: {error}") from error


@cache
def photograph_statistics() -> PhotographStatistics:
    """The statistics that come with the package; the file says of which photographs they are."""
    file = resources.files("metalens.formats.pictures") / "photograph_statistics.json"
    return parse_photograph_statistics(file.read_bytes(), "photograph_statistics.json")


def measured_statistics(scenes: list[np.ndarray], bands: int = 8) -> PhotographStatistics:
    """Measure the statistics.

    Args:
        scenes: ``[y, x, 3]`` linear light each, on the sensor's grid; at least 64 pixels a side.
        bands: of frequency, equally wide in log ν from 1/64 to 1/2 cycles per pixel.

    Returns:
        The mean of the scenes' periodograms under a Hann window, each scene's mean brightness taken off.

    Raises:
        InputError: there are no scenes, one is too small, or their colours do not differ.
    """
    if not scenes or min(min(scene.shape[:2]) for scene in scenes) < 64:
        raise InputError("photograph statistics: scenes of at least 64 × 64 pixels are needed.")
    edges = np.geomspace(1 / 64, 0.5, bands + 1)
    total, count = np.zeros((bands, 3, 3)), np.zeros(bands)
    for scene in scenes:
        window = np.hanning(scene.shape[0])[:, None] * np.hanning(scene.shape[1])
        light = (scene - scene.mean(axis=(0, 1))) * window[..., None]
        spectrum = np.fft.fft2(light, axes=(0, 1)) / np.sqrt((window**2).sum())
        frequency = np.hypot(*np.meshgrid(*(np.fft.fftfreq(side) for side in scene.shape[:2]), indexing="ij"))
        band = np.digitize(frequency, edges) - 1
        for index in range(bands):
            inside = band == index
            values = spectrum[inside] * frequency[inside][:, None]
            total[index] += (values[:, :, None] * values[:, None, :].conj()).real.sum(axis=0) / len(values)
            count[index] += 1
    return PhotographStatistics(np.sqrt(edges[1:] * edges[:-1]), total / count[:, None, None])
