"""Make the shipped tables over wavelength, and their picture: ``python docs/spectra.py``.

The figures come out of the package colour-science, which the extra dev brings; docs/spectra.md says what
they are. ``--check`` writes nothing and tells whether the shipped files are what this script makes.
"""

from __future__ import annotations

import argparse
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "formats" / "camera" / "spectra"
WAVELENGTH_NM = np.arange(380, 781, 5)

with warnings.catch_warnings():
    # It warns of packages that it could use and of SciPy's renamed functions.
    warnings.simplefilter("ignore")
    import colour

LICENCE = (
    f"Out of colour-science {version('colour-science')}, (c) 2013 Colour Developers, BSD-3-Clause: "
    "LICENSE-colour-science.txt."
)


def illuminant(name: str) -> np.ndarray:
    """Spectral power ``[wavelength]`` of a CIE illuminant."""
    found = colour.SDS_ILLUMINANTS[name]
    return np.interp(WAVELENGTH_NM, found.wavelengths, found.values)


def tristimulus(power: np.ndarray) -> np.ndarray:
    """CIE 1931 tristimulus values (X, Y, Z) of spectral power ``[wavelength]``."""
    observer = colour.MSDS_CMFS["CIE 1931 2 Degree Standard Observer"]
    functions = np.stack([np.interp(WAVELENGTH_NM, observer.wavelengths, column) for column in observer.values.T])
    return functions @ power


def display_primaries() -> np.ndarray:
    """Power ``[primary, wavelength]`` of a display's primaries, so driven that their sum has the colour of D65."""
    display = colour.MSDS_DISPLAY_PRIMARIES["Apple Studio Display"]
    primaries = np.stack([np.interp(WAVELENGTH_NM, display.wavelengths, column) for column in display.values.T])
    drive = np.linalg.solve(
        np.stack([tristimulus(primary) for primary in primaries], axis=1), tristimulus(illuminant("D65"))
    )
    driven = drive[:, None] * primaries
    return driven / driven.max()


def camera_average() -> np.ndarray:
    """Mean relative quantum efficiency ``[channel, wavelength]`` of two measured cameras with Bayer filters."""
    nikon = colour.MSDS_CAMERA_SENSITIVITIES["Nikon 5100 (NPL)"]
    canon_file = Path(colour.__file__).parent / "characterisation" / "datasets" / "rawtoaces"
    canon = np.loadtxt(canon_file / "CANON_EOS_5DMark_II_RGB_Sensitivities.csv", delimiter=",", skiprows=1)
    mean = np.zeros((3, len(WAVELENGTH_NM)))
    for wavelength, values in [(nikon.wavelengths, nikon.values), (canon[:, 0], canon[:, 1:])]:
        # Measured per unit of energy; a quantum efficiency is per photon, whose energy goes as 1 / wavelength.
        efficiency = np.stack([np.interp(WAVELENGTH_NM, wavelength, column) for column in values.T]) / WAVELENGTH_NM
        mean += efficiency / efficiency[1].max()
    return np.maximum(mean / mean.max(), 0)


def tables() -> dict[str, str]:
    """The text of each shipped file by its name."""
    return {
        "D65.csv": table(
            "CIE standard illuminant D65, average daylight: relative spectral power, 100 at 560 nm (CIE 15).",
            ["power"],
            illuminant("D65")[None],
        ),
        "white_led.csv": table(
            "CIE illuminant LED-B3, a phosphor-converted blue LED of 4100 K: relative spectral power (CIE 15:2018).",
            ["power"],
            illuminant("LED-B3")[None],
        ),
        "display.csv": table(
            "Primaries of a liquid-crystal display with a fluorescent backlight, so driven that their sum, which is\n"
            "# the source, has the CIE 1931 chromaticity of D65: relative spectral power. Measured on an Apple Studio\n"
            "# Display by Fairchild and Wyble (1998), Colorimetric Characterization of the Apple Studio Display.",
            ["red", "green", "blue"],
            display_primaries(),
        ),
        "generic_rgb.csv": table(
            "A generic colour sensor with Bayer filters and an infrared cut: relative quantum efficiency, the mean of\n"
            "# a Nikon D5100 (National Physical Laboratory; Darrodi et al. 2015, doi:10.1364/JOSAA.32.000381) and a\n"
            "# Canon EOS 5D Mark II (RAW to ACES, Academy of Motion Picture Arts and Sciences), each divided by the\n"
            "# photon's wavelength and by its green maximum. Below 400 and beyond 700 nm the Canon's three channels\n"
            "# are alike: what its measurement resolves.",
            ["red", "green", "blue"],
            camera_average(),
        ),
    }


def table(description: str, columns: list[str], values: np.ndarray) -> str:
    """A CSV file with a header of remarks; ``values`` is ``[column, wavelength]``."""
    lines = [f"# {description}", f"# {LICENCE}", "# Made by docs/spectra.py.", ",".join(["wavelength_nm", *columns])]
    for wavelength, row in zip(WAVELENGTH_NM, values.T, strict=True):
        lines.append(",".join([str(wavelength), *(f"{value:.5g}" for value in np.round(row, 5))]))
    return "\n".join(lines) + "\n"


def draw(path: Path) -> None:
    """Draw the shipped tables, and what the sensor's channels see of each source."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    colours = {"red": "#c2412d", "green": "#3d8b4f", "blue": "#3465a4", "power": "#333333"}
    figure, axes = plt.subplots(2, 4, figsize=(11, 4.6), sharex=True, constrained_layout=True)
    sensor = camera_average()
    sources = {
        "D65": illuminant("D65")[None],
        "white_led": illuminant("LED-B3")[None],
        "display": display_primaries(),
    }
    for column, (name, values) in enumerate(sources.items()):
        labels = ["power"] if len(values) == 1 else ["red", "green", "blue"]
        for label, row in zip(labels, values, strict=True):
            axes[0, column].plot(WAVELENGTH_NM, row / values.max(), color=colours[label], linewidth=1.2)
        axes[0, column].set_title(name, loc="left", fontsize=9)
        seen = sensor * values.sum(axis=0) * WAVELENGTH_NM
        for label, row in zip(["red", "green", "blue"], seen, strict=True):
            axes[1, column].plot(WAVELENGTH_NM, row / seen.max(), color=colours[label], linewidth=1.2)
        axes[1, column].set_title(f"{name} × generic_rgb, in photons", loc="left", fontsize=9)
    for label, row in zip(["red", "green", "blue"], sensor, strict=True):
        axes[0, 3].plot(WAVELENGTH_NM, row, color=colours[label], linewidth=1.2, label=label)
    axes[0, 3].set_title("generic_rgb", loc="left", fontsize=9)
    axes[0, 3].legend(frameon=False, fontsize=8)
    axes[1, 3].set_axis_off()
    for each in axes.flat:
        each.spines[["top", "right"]].set_visible(False)
        each.tick_params(labelsize=8)
        each.set_ylim(0, None)
    for each in axes[1, :3]:
        each.set_xlabel("wavelength (nm)", fontsize=8)
    axes[0, 0].set_ylabel("relative", fontsize=8)
    axes[1, 0].set_ylabel("relative", fontsize=8)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def main() -> int:
    """Write or check the files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; tell whether the files are the same")
    arguments = parser.parse_args()
    if arguments.check:
        other = [name for name, text in tables().items() if (FOLDER / name).read_text(encoding="utf-8") != text]
        print(f"not what this script makes: {', '.join(other)}" if other else "the shipped tables are the same")
        return int(bool(other))
    for name, text in tables().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    draw(ROOT / "docs" / "images" / "spectra.png")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
