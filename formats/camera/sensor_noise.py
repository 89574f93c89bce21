"""Noise variance of a sensor's pixels at a share of white, in the terms of EMVA 1288."""

from __future__ import annotations

import numpy as np

from metalens.formats.camera.sensor import Sensor


def noise_variance(sensor: Sensor, light: float | np.ndarray, *, exposure: float = 1.0) -> np.ndarray:
    """Variance of a pixel, in units of white squared.

    The sum of shot noise of light and dark signal, read noise, the patterns that are left without correction, and
    quantisation.

    Args:
        sensor: whose.
        light: linear, in shares of white: one number for all channels, or ``[..., channel]``.
        exposure: above 0, electrons of white as a multiple of those that the sensor's white level names; a darker
            exposure is amplified to the same white.

    Returns:
        ``[..., channel]``.
    """
    efficiency = np.ones(3) if sensor.quantum_efficiency is None else np.array(sensor.quantum_efficiency)
    if sensor.white_photons is not None:
        white = sensor.white_photons * efficiency
    else:
        white = sensor.white_level * sensor.saturation_e * efficiency / efficiency.max()
    white = exposure * white
    signal = np.asarray(light) * white
    counted = signal + sensor.dark_signal_e if sensor.shot_noise is not False else np.zeros_like(signal)
    terms = (
        sensor.read_noise_e,
        sensor.dsnu_e,
        sensor.row_pattern_e,
        sensor.column_pattern_e,
        sensor.row_noise_e,
        sensor.column_noise_e,
    )
    electrons = counted + sum((each or 0.0) ** 2 for each in terms) + 1 / (12 * sensor.system_gain**2)
    electrons = electrons + (0.01 * (sensor.prnu_percent or 0.0) * signal) ** 2
    return np.asarray(electrons / white**2)
