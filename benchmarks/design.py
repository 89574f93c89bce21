"""What inverse design gains: against the hyperbolic lens, under errors of fabrication, and on photographs.

    python benchmarks/design.py held --designs designs/
    python benchmarks/design.py robust --designs designs/ [--draws 100]
    python benchmarks/design.py restored --designs designs/ --photographs photos/ [--count 8]
    python benchmarks/design.py metacamera-200um --designs designs/

Each part designs the lenses that it needs from the shipped specifications and keeps them in ``--designs``; a lens that
lies there already is taken as it is. Seconds are those of the search, compilation included. docs/design.md holds the
output.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from measuring import machine

from metalens.formats.camera.camera import Camera, read_camera
from metalens.formats.camera.sensor_noise import noise_variance
from metalens.formats.design.spec import DesignSpec, read_design
from metalens.formats.pictures.resizing import scene_from_picture
from metalens.optics.metalens import Metalens
from metalens.psf import simulate_bank
from metalens.psf.design.comparison import candidate_wavelengths, hyperbolic_camera
from metalens.psf.design.evaluation import decibels, evaluate_for
from metalens.psf.design.light import light_of
from metalens.psf.design.objectives import modulation, strehl_ratios
from metalens.psf.design.problem import Problem, problem_of
from metalens.psf.design.report import summary_of
from metalens.psf.design.run import design_lens
from metalens.psf.restoration_error import image_errors
from metalens.psf.tolerance.draws import Draw, draw_samples

HELD_OUT_SEED = 1_000
"""Of the draws that judge: the design saw others."""


def designed(spec: DesignSpec, folder: Path) -> Camera:
    """The lens of a specification, designed or as it lies in the folder; tells how long it took."""
    output = folder / f"{spec.name}.toml"
    if not output.exists():
        started, used = time.perf_counter(), time.process_time()
        found = design_lens(spec, output, resume=(folder / f"{spec.name}.checkpoint.npz").exists())
        told = {
            "steps": len(found.state.history),
            "seconds": round(time.perf_counter() - started, 1),
            "processor_seconds": round(time.process_time() - used, 1),
            "loss": found.loss,
        }
        output.with_suffix(".json").write_text(json.dumps(told) + "\n", encoding="utf-8")
    told_path = output.with_suffix(".json")
    print(f"{spec.name}: {told_path.read_text().strip() if told_path.exists() else 'designed before'}\n", flush=True)
    return read_camera(output)


def held(folder: Path) -> None:
    """Worst case over field and colour of the held lens against hyperbolic ones for nine wavelengths."""
    spec = read_design("held")
    problem = problem_of(spec)
    camera = designed(spec, folder)
    rows = [evaluate_for(problem, camera, "designed")]
    for each in candidate_wavelengths(problem):
        rows.append(evaluate_for(problem, hyperbolic_camera(spec.camera, each), f"hyperbolic {each:g} nm"))
    at_fields = [rows[0].fields_deg.index(field) for field in spec.sampling.fields_deg]
    print(
        "| lens | worst Strehl | worst contrast at ¼ Nyquist | at the specification's fields: worst Strehl | worst "
        "contrast | mean Strehl | mean contrast | restored, dB |\n| --- | --- | --- | --- | --- | --- | --- | --- |"
    )
    for row in rows:
        found = summary_of(row)
        print(
            f"| {row.name} | {found['strehl_worst']:.4f} | {found['modulation_worst']:.4f} "
            f"| {row.strehl[at_fields].min():.4f} | {row.modulation[at_fields].min():.4f} "
            f"| {found['strehl_mean']:.4f} | {found['modulation_mean']:.4f} | {found['restored_db']:.2f} |"
        )
    print()
    for name, values in (("Strehl ratio", lambda row: row.strehl), ("contrast", lambda row: row.modulation)):
        for where, take in (("all fields", slice(None)), ("the specification's fields", at_fields)):
            worst = [float(values(row)[take].min()) for row in rows]
            print(f"worst {name}, {where}: {worst[0] / max(worst[1:]):.2f} times the best hyperbolic lens'")


def figures_of_draws(problem: Problem, camera: Camera, draws: Draw, count: int) -> dict[str, np.ndarray]:
    """Name → values ``[draw, …]`` at every field and colour, the lens without errors first."""
    whole = problem_of(problem.spec.model_copy(update={"camera": camera}))
    lens = whole.view.lens
    simulator = whole.simulator(lens)

    @jax.jit
    def of_draw(lens: Metalens, draw: Draw) -> tuple[jax.Array, jax.Array]:
        light = light_of(whole, simulator, lens, draw)
        return strehl_ratios(whole, light), modulation(whole, light, np.array([0.25]))[..., 0]

    # The lens is an argument, as in the search: a constant one is folded while it is compiled, in single precision.
    found = [of_draw(lens, Draw())]
    found += [
        of_draw(lens, jax.tree.map(lambda values, number=number: values[number], draws)) for number in range(count)
    ]
    strehl, contrast = (np.stack([np.asarray(each) for each in part]) for part in zip(*found, strict=True))
    return {"Strehl ratio": strehl, "contrast at ¼ Nyquist": contrast}


def robust(folder: Path, count: int) -> None:
    """What errors of fabrication and assembly take from the robust design and from the plain one."""
    spec = read_design("held-robust")
    plain = spec.model_copy(update={"name": "held-plain", "fabrication": None})
    assert spec.fabrication is not None
    cameras = {"plain": designed(plain, folder), "robust": designed(spec, folder)}
    problem = problem_of(spec)
    draws = draw_samples(spec.fabrication.errors, spec.camera, problem.view.lens, HELD_OUT_SEED, count)
    print(
        f"{count} held-out draws\n\n| lens | figure | as drawn | mean over the draws | loss | loss, share | worst "
        "tenth |\n| --- | --- | --- | --- | --- | --- | --- |"
    )
    for name, camera in cameras.items():
        for figure, values in figures_of_draws(problem, camera, draws, count).items():
            flat = values.reshape(len(values), -1)
            for what, each in ((f"worst {figure}", flat.min(axis=1)), (f"mean {figure}", flat.mean(axis=1))):
                mean, tenth = each[1:].mean(), np.quantile(each[1:], 0.1)
                lost = each[0] - mean
                print(
                    f"| {name} | {what} | {each[0]:.4f} | {mean:.4f} | {lost:.4f} | {lost / each[0]:.1%} "
                    f"| {tenth:.4f} |",
                    flush=True,
                )


def restored(folder: Path, photographs: Path, count: int) -> None:
    """Photographs through the sensor behind both lenses, restored by the tiled Wiener filter."""
    from metalens.formats.pictures.pictures import list_pictures, read_picture
    from metalens.formats.pictures.scene import linear_to_srgb
    from metalens.restore.deconvolution.wiener import tune_regulariser, wiener_tiled
    from metalens.restore.metrics.measures import psnr
    from metalens.synth.generate import photograph_scene, simulated_camera

    paths = list_pictures([photographs])
    held_out, tuned = paths[:count], paths[count : count + 2]
    print("| objective | expected, dB | captured, dB | restored, dB | each picture |\n| --- | --- | --- | --- | --- |")
    for name in ("held-strehl", "held-restoration"):
        spec = read_design(name)
        camera = designed(spec, folder)
        expected = summary_of(evaluate_for(problem_of(spec), camera, name))["restored_db"]
        bank = simulate_bank(camera, fields=(7, 7))
        sensor = simulated_camera(bank)

        def pairs(sources: list[Path]) -> list[tuple[np.ndarray, np.ndarray]]:
            found = []
            for number, path in enumerate(sources):
                scene = scene_from_picture(read_picture(path), camera.sensor.pixels)  # noqa: B023 used at once
                clean = np.rint(255 * np.clip(linear_to_srgb(scene), 0, 1)).astype(np.uint8)
                shot = photograph_scene(sensor, scene, np.random.default_rng([7, number]))  # noqa: B023
                found.append((clean, shot))
            return found

        ratio = tune_regulariser(pairs(tuned), bank)
        shots = pairs(held_out)
        captured = [psnr(clean, shot) for clean, shot in shots]
        found = [psnr(clean, wiener_tiled(shot, bank, ratio)) for clean, shot in shots]
        each = " ".join(f"{value:.2f}" for value in found)
        print(f"| {name} | {expected:.2f} | {np.mean(captured):.2f} | {np.mean(found):.2f} | {each} |", flush=True)


def metacamera(folder: Path) -> None:
    """The preset as it ships, plain lenses, and the lens of its specification, on a grid of fields."""
    spec = read_design("metacamera-200um")
    base = read_camera("metacamera-200um")
    cameras = {f"hyperbolic {each:g} nm": hyperbolic_camera(base, each) for each in (490.0, 532.0, 570.0)}
    cameras |= {"preset as it ships": base, "designed": designed(spec, folder)}
    print(
        "| phase | captured, dB | restored, dB | restored R / G / B, dB | worst field and channel, dB | median "
        "half-energy radius R / G / B, µm | window, px |\n| --- | --- | --- | --- | --- | --- | --- |"
    )
    for name, camera in cameras.items():
        bank = simulate_bank(camera, fields=(5, 5), wavelengths_per_channel=5)
        light = bank.intensity / bank.intensity.sum(axis=(-2, -1), keepdims=True)
        captured, errors = image_errors(jnp.asarray(light), jnp.asarray(noise_variance(camera.sensor, 0.2)))
        channels = " / ".join(f"{-10 * np.log10(value):.1f}" for value in np.asarray(errors).mean(axis=0))
        widths = 1e6 * np.median(bank.by_channel.half_energy_radius, axis=0)
        print(
            f"| {name} | {decibels(np.asarray(captured)):.2f} | {decibels(np.asarray(errors)):.2f} | {channels} "
            f"| {decibels(np.asarray(errors).max()):.1f} | {' / '.join(f'{value:.1f}' for value in widths)} "
            f"| {bank.intensity.shape[-1]} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", default="held", choices=("held", "robust", "restored", "metacamera-200um"))
    parser.add_argument("--designs", type=Path, help="folder for the lenses, or with them; a new one is the default")
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--photographs", type=Path, help="folder; the first ones judge, the next two tune")
    parser.add_argument("--count", type=int, default=8)
    options = parser.parse_args()
    if options.part == "restored" and options.photographs is None:
        parser.error("restored needs --photographs")
    folder = Path(tempfile.mkdtemp()) if options.designs is None else options.designs
    folder.mkdir(exist_ok=True)
    print(machine(), flush=True)
    if options.part == "held":
        held(folder)
    elif options.part == "robust":
        robust(folder, options.draws)
    elif options.part == "metacamera-200um":
        metacamera(folder)
    else:
        restored(folder, options.photographs, options.count)


if __name__ == "__main__":
    main()
