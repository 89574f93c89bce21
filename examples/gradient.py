"""
The gradient of a point spread function
=======================================

A simulator is a function of the lens that JAX differentiates: here the brightest sample by the focal length of the
phase. The same gradients drive ``metalens design``.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np

import metalens
from metalens.optics import Hyperbolic
from metalens.psf import psf_simulator

DIAMETER, FOCUS, GREEN = 50e-6, 100e-6, 532e-9


def lens_for(focal_length):
    return metalens.Metalens(DIAMETER, FOCUS, Hyperbolic(focal_length, GREEN))


simulator = psf_simulator(lens_for(FOCUS), [GREEN], [np.radians(5.0)], window=(33, 33), pixel_pitch=0.5e-6)


def peak(focal_length):
    return simulator(lens_for(focal_length))[0, 0].max()


made_for = 1.01 * FOCUS
value, slope = jax.value_and_grad(peak)(made_for)
around = FOCUS * np.linspace(0.97, 1.05, 17)
near = made_for + FOCUS * np.array([-0.01, 0.01])
plt.plot(1e6 * around, [float(peak(each)) for each in around], label="peak")
plt.plot(1e6 * near, float(value) + float(slope) * (near - made_for), "--", label="tangent by JAX")
plt.xlabel("focal length of the phase (µm)")
plt.ylabel("brightest sample")
plt.legend()
plt.show()
