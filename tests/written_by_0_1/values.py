"""What metalens 0.1 reads in its own files: the values that tests/test_written_by_0_1.py compares."""

import json

import numpy as np

from metalens.formats.camera import read_camera
from metalens.formats.pairs import read_pairs
from metalens.formats.psf_bank import read_psf_bank
from metalens.restore.restoration import restore
from metalens.restore.restorer import load_restorer

camera, bank, pairs = read_camera("lens.toml"), read_psf_bank("psf.h5"), read_pairs("pairs")
restorer = load_restorer("adapter")
first = pairs.sample(0)
noise = np.random.default_rng(0).integers(20, 200, (64, 64, 3), dtype=np.uint8)
values = {
    "camera": {
        "hash": camera.hash,
        "aperture_um": camera.lens.aperture_um,
        "object_distance_m": str(camera.object_distance_m),
    },
    "bank": {
        "shape": bank.intensity.shape,
        "sum": float(bank.intensity.sum(dtype=float)),
        "brightest": float(bank.intensity.max()),
        "subpixels": bank.subpixels,
        "full_width_half_maximum": bank.by_channel.full_width_half_maximum.tolist(),
        "strehl_ratio": bank.by_wavelength.strehl_ratio.tolist(),
        "wavelength": bank.wavelength.tolist(),
    },
    "pairs": {
        "names": pairs.source_names(),
        "validation": pairs.of_split("validation").tolist(),
        "position": pairs.numbers("position").tolist(),
        "clean": [int(clean.sum(dtype=int)) for clean, _ in pairs],
        "captured": [int(captured.sum(dtype=int)) for _, captured in pairs],
        "neutral": int(first.neutral.sum(dtype=int)),
        "lens_hashes": pairs.manifest.lens_hashes,
    },
    "adapter": {
        "identity": restorer.identity,
        "prior": restorer.prior.identity,
        "lens_hash": restorer.camera.hash,
        "fwhm_map": float(restorer.fwhm_map.sum(dtype=float)),
        "steps": restorer.training["steps"],
        "quality_metric": restorer.quality_metric,
        "restored_mean": float(restore(restorer, noise, [0.75])[0.75].mean(dtype=float)),
    },
}
print(json.dumps(values, indent=1))
