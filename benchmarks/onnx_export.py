"""Time and memory of the embedded adapter's networks as ONNX, beside PyTorch: ``python benchmarks/onnx_export.py``.

One frame of the metacamera, 400 × 400 pixels, in a process of its own each, start and import included: processor
seconds, and the largest memory of the process.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from metalens.restore.adapter.adapter_file import load_restorer
from metalens.restore.inference.onnx_export import export_onnx

BY_PYTORCH = """
import sys
import numpy as np
import metalens
restorer = metalens.load_restorer("metacamera")
restorer.consistency = None
np.save("by_pytorch.npy", metalens.restore(np.load("frame.npy"), restorer, 0.75))
"""


def measured(command: list[str], folder: Path) -> tuple[float, float]:
    """Processor seconds and MB of a command."""
    tell = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True);"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN);"
        "print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)"
    )
    run = subprocess.run([sys.executable, "-c", tell, *command], cwd=folder, check=True, capture_output=True, text=True)
    seconds, memory = map(float, run.stdout.split())
    return seconds, memory


def main() -> None:
    """Print a row for each."""
    restorer = load_restorer("metacamera")
    y, x = np.indices(restorer.camera.sensor.pixels)[..., None]
    # Smooth: the script does not look for defective pixels.
    picture = (0.4 + 0.3 * np.sin(x / np.array([7, 9, 11])) * np.cos(y / 13)).astype(np.float32)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
        about = export_onnx(restorer, folder / "device", without_consistency=True)
        print(f"export: {resource.getrusage(resource.RUSAGE_SELF).ru_utime - before:.0f} s")
        for name, graph in about["graphs"].items():
            print(f"{name}: {graph['bytes'] / 1e6:.1f} MB, {graph['largest_error']:.1g} from PyTorch")
        np.save(folder / "frame.npy", picture)
        by_onnx = [sys.executable, "device/restore.py", "frame.npy", "by_onnx.npy", "0.75"]
        for name, command in (("onnxruntime", by_onnx), ("PyTorch", [sys.executable, "-c", BY_PYTORCH])):
            seconds, memory = measured(command, folder)
            print(f"{name}: {seconds:.1f} s, {memory:.0f} MB")
        difference = np.abs(np.load(folder / "by_onnx.npy") - np.load(folder / "by_pytorch.npy")).max()
        print(f"pictures differ by {255 * difference:.3f}/255")


if __name__ == "__main__":
    main()
