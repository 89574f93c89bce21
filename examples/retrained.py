"""
A restorer for another lens
===========================

The whole third job at a tiny scale: pairs of a new lens, a training that begins with an adapter of another one, and a
part of a photograph that it was not trained on. Minutes of training make it good; these steps show that it goes.
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt

import metalens

hyperbolic = {"family": "hyperbolic", "wavelength_nm": 530.0}
camera = metalens.read_camera("metacamera").with_(name="new", lens={"phase": hyperbolic}, sensor={"pixels": (96, 96)})
bank = metalens.simulate_bank(camera, fields=(3, 3), wavelengths_per_channel=1)
recipe = {"batch": 1, "crop": 64, "learning_rate": 2e-4, "validation_batches": 1, "validation_pictures": 1}
with TemporaryDirectory() as folder:
    place = Path(folder)
    metalens.generate_pairs("embedded:train", bank, place / "pairs", count=8, seed=0)
    metalens.generate_pairs("embedded:held-out", bank, place / "test", settings={"cropping": "centre"}, seed=1)
    summary = metalens.train(
        place / "pairs",
        place / "adapter",
        bank=bank,
        steps=12,
        initial="metacamera-200um",
        recipe={"training": recipe},
        quality="piqe",
    )
    history = json.loads((place / "adapter" / "training.json").read_text(encoding="utf-8"))["history"]
    pairs = metalens.read_pairs(place / "test")
    clean, captured = pairs[0]
    pairs.close()
    restored = metalens.restore(captured, place / "adapter", alpha=0.75)
print(f"{summary['steps']} steps in {summary['seconds']:.0f} s")

figure, (curve, *panels) = plt.subplots(1, 4, figsize=(10, 2.8), layout="constrained")
curve.plot([row["step"] for row in history], [row["loss"] for row in history], ".-")
curve.set(xlabel="step", ylabel="loss")
for axes, (title, picture) in zip(
    panels, {"captured": captured, "restored": restored, "clean": clean}.items(), strict=True
):
    axes.imshow(picture)
    axes.set_title(title)
    axes.axis("off")
plt.show()
