"""metalens: simulate metalens cameras, make training sets from them, restore their photographs.

Three jobs, with one import:

>>> import metalens

Design a variant, with :func:`design` or by changing a camera that there is:

>>> camera = metalens.read_camera("metacamera").with_(name="small", lens={"aperture_um": 150})

Generate a training set, with :func:`simulate_bank` and :func:`generate_pairs`. Retrain the restorer, with
:func:`train`, and restore photographs, with :func:`restore`. ``dir(metalens)`` lists all names; each is imported when
it is first used.

The folders are the stages of one pipeline; each stage reads the files of the one before it:

    lens.toml --optics--> field behind the lens --psf--> psf.h5 --synth--> pairs/ --restore--> adapter/ --> photos

- ``formats``   the files that pass between stages: lens.toml, psf.h5, pairs/, with readers that check them, and writers
- ``optics``    phase profiles, the metalens, scalar propagation; the conventions every stage keeps
- ``psf``       point spread functions over field and wavelength, and their measures (FWHM, Strehl, MTF)
- ``synth``     clean photographs, shift-variant blur, sensor noise: training pairs
- ``restore``   the one-step latent diffusion restorer: prior, adapters, training, restoration, report
- ``workflows`` the three jobs, and sequences of several stages, each a command in a process of its own
- ``app``       the stages in a browser, on this machine
- ``commands``  what the command line can do; each command only parses, converts units, calls and reports
- ``cli``       its entry: finds the commands, turns errors into sentences and exit statuses
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # What _HOMES names, for type checkers and editors; a test holds the two together.
    from metalens import formats, optics, psf, synth
    from metalens.formats.camera.camera import Camera, preset_names, read_camera, write_camera
    from metalens.formats.design.spec import DesignSpec, design_names, read_design
    from metalens.formats.drawing.psf_map import psf_figure
    from metalens.formats.files.errors import InputError
    from metalens.formats.pairs.reader import Pairs, read_pairs
    from metalens.formats.pictures.pictures import read_picture, write_picture
    from metalens.formats.psf.bank import PsfBank
    from metalens.formats.psf.bank_file import read_psf_bank as read_bank
    from metalens.formats.psf.bank_file import write_psf_bank as write_bank
    from metalens.optics.metalens import Metalens
    from metalens.psf.bank import simulate_bank
    from metalens.psf.design.run import Design
    from metalens.psf.simulate import simulate_psf
    from metalens.restore.adapter.adapter_file import load_restorer
    from metalens.restore.adapter.restorer import Restorer
    from metalens.restore.deconvolution.joint_wiener import wiener_joint
    from metalens.restore.inference.picture import restore_picture as restore
    from metalens.restore.metrics.measures import psnr
    from metalens.synth.dataset.shard_scheduler import PairsReport
    from metalens.synth.photograph_sources import photographs_of
    from metalens.workflows.capture import simulate_capture
    from metalens.workflows.design import design
    from metalens.workflows.training import train
    from metalens.workflows.training_set import generate_pairs

__version__ = "0.2.0"

__all__ = [
    "Camera",
    "Design",
    "DesignSpec",
    "InputError",
    "Metalens",
    "Pairs",
    "PairsReport",
    "PsfBank",
    "Restorer",
    "design",
    "design_names",
    "formats",
    "generate_pairs",
    "load_restorer",
    "optics",
    "photographs_of",
    "preset_names",
    "psf",
    "psf_figure",
    "psnr",
    "read_bank",
    "read_camera",
    "read_design",
    "read_pairs",
    "read_picture",
    "restore",
    "simulate_bank",
    "simulate_capture",
    "simulate_psf",
    "synth",
    "train",
    "wiener_joint",
    "write_bank",
    "write_camera",
    "write_picture",
]

_HOMES = {
    "Camera": "formats.camera.camera:Camera",
    "Design": "psf.design.run:Design",
    "DesignSpec": "formats.design.spec:DesignSpec",
    "InputError": "formats.files.errors:InputError",
    "Metalens": "optics.metalens:Metalens",
    "Pairs": "formats.pairs.reader:Pairs",
    "PairsReport": "synth.dataset.shard_scheduler:PairsReport",
    "PsfBank": "formats.psf.bank:PsfBank",
    "Restorer": "restore.adapter.restorer:Restorer",
    "design": "workflows.design:design",
    "design_names": "formats.design.spec:design_names",
    "formats": "formats",
    "generate_pairs": "workflows.training_set:generate_pairs",
    "load_restorer": "restore.adapter.adapter_file:load_restorer",
    "optics": "optics",
    "photographs_of": "synth.photograph_sources:photographs_of",
    "preset_names": "formats.camera.camera:preset_names",
    "psf": "psf",
    "psf_figure": "formats.drawing.psf_map:psf_figure",
    "psnr": "restore.metrics.measures:psnr",
    "read_bank": "formats.psf.bank_file:read_psf_bank",
    "read_camera": "formats.camera.camera:read_camera",
    "read_design": "formats.design.spec:read_design",
    "read_pairs": "formats.pairs.reader:read_pairs",
    "read_picture": "formats.pictures.pictures:read_picture",
    # A folder that can be called: importing any module of it binds this name to it.
    "restore": "restore",
    "simulate_bank": "psf.bank:simulate_bank",
    "simulate_capture": "workflows.capture:simulate_capture",
    "simulate_psf": "psf.simulate:simulate_psf",
    "synth": "synth",
    "train": "workflows.training:train",
    "wiener_joint": "restore.deconvolution.joint_wiener:wiener_joint",
    "write_bank": "formats.psf.bank_file:write_psf_bank",
    "write_camera": "formats.camera.camera:write_camera",
    "write_picture": "formats.pictures.pictures:write_picture",
}


if not TYPE_CHECKING:  # or a misspelt name would be an object to type checkers

    def __getattr__(name: str) -> object:
        """Import a public name when it is first used (PEP 562): ``import metalens`` alone loads nothing else."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module, _, attribute = _HOMES[name].partition(":")
        try:
            found = import_module(f"{__name__}.{module}")
        except ModuleNotFoundError as error:
            _explain(name, error)
            raise
        globals()[name] = getattr(found, attribute) if attribute else found
        return globals()[name]


def _explain(name: str, error: ModuleNotFoundError) -> None:
    """Raise an InputError that names the extra, if that is what is missing."""
    from metalens.formats.files.errors import InputError
    from metalens.formats.files.extras import missing_package

    sentence = missing_package(error.name or "")
    if sentence is not None:
        raise InputError(f"metalens.{name}: {sentence}.") from error


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
