"""The package's folders lie at the repository's root: ``metalens.optics`` is ``optics/``. All else is in
pyproject.toml."""

from setuptools import find_packages, setup

FOLDERS = ("app", "commands", "formats", "optics", "psf", "restore", "runners", "synth", "workflows")
FOUND = find_packages(include=[pattern for folder in FOLDERS for pattern in (folder, f"{folder}.*")])

setup(
    packages=["metalens", *(f"metalens.{name}" for name in FOUND)],
    # Named, so that this file, which lies in the package's root, is left out of it.
    script_name="setup.py",
)
