"""Two pictures for pairs, made of waves and a square: no photograph is needed."""

from pathlib import Path

import numpy as np
from PIL import Image

Path("pictures").mkdir(exist_ok=True)
for number in range(2):
    random = np.random.default_rng(number)
    y, x = np.mgrid[:96, :96]
    waves = [np.sin(y / random.uniform(3, 12)) * np.cos(x / random.uniform(3, 12)) for _ in range(3)]
    picture = np.rint(127.5 * (1 + np.stack(waves, axis=-1))).astype(np.uint8)
    picture[30:60, 40:70] = random.integers(0, 255, 3)
    Image.fromarray(picture).save(f"pictures/picture-{number}.png")
