"""A point spread function by torchoptics, the peer of ``benchmarks/psf.py`` and ``benchmarks/driver.py``."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torchoptics import Field
from torchoptics.profiles import circle

from metalens.optics import Metalens


class DirectIntegration:
    """torchoptics' direct integration; the lens' transmission is made beforehand, and not timed."""

    def __init__(
        self, lens: Metalens, window: tuple[int, int], pitch: float, spacing: float, *, weighted: bool
    ) -> None:
        self.lens, self.window, self.pitch, self.spacing = lens, window, pitch, spacing
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        radius = 0.5 * float(lens.aperture_diameter)
        # An even number: the transforms' lengths then have small factors, and their hard circle is at its best.
        samples = 2 * int(np.ceil(radius / spacing))
        position = spacing * (np.arange(samples) - 0.5 * (samples - 1))
        distance = np.hypot(position[:, None], position)
        with jax.enable_x64(True):
            phase = np.asarray(lens.phase.at(jnp.asarray(position[:, None]), jnp.asarray(position)))
        hard = circle((samples, samples), radius, spacing=spacing).numpy()
        opening = np.clip((radius - distance) / spacing + 0.5, 0, 1) if weighted else hard
        self.transmission = torch.as_tensor(opening * np.exp(1j * phase), device=self.device)
        self.position = torch.as_tensor(position, device=self.device)

    def __call__(self, wavelength: float, degrees: float) -> np.ndarray:
        angle = np.radians(degrees)
        wave = torch.exp(2j * np.pi / wavelength * np.sin(angle) * self.position)
        distance = float(self.lens.focal_length)
        # Their windows are centred on a point; ours have the chief ray on the middle sample.
        offset = (-0.5 * self.pitch, distance * np.tan(angle) - 0.5 * self.pitch)
        field = Field(self.transmission * wave, wavelength, 0, self.spacing).to(self.device)
        image = field.propagate(self.window, distance, self.pitch, offset, propagation_method="DIM")
        return (image.intensity() * self.pitch**2 / float(self.lens.aperture_area)).cpu().numpy()
