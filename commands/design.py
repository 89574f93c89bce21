"""``metalens design``: a lens for a specification, by gradients through the simulation."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metalens.commands.answer import answer
from metalens.commands.options import MINUTES, PATH, SEED, dry_run_option, json_option, output_option, resume_option
from metalens.commands.plan import answer_plan
from metalens.commands.progress import count_progress

if TYPE_CHECKING:
    from metalens.formats.camera.camera import Camera
    from metalens.formats.design.spec import DesignSpec
    from metalens.psf.design.search import Task


@click.command(short_help="optimise a lens for a specification")
@click.argument("spec")
@output_option("The lens.toml to write.")
@resume_option
@click.option("--minutes", type=MINUTES, help="Stop after this time with the best lens so far; --resume continues.")
@click.option("--seed", type=SEED, help="Seed of the random starts. [default: the specification's]")
@click.option("--report", "report_folder", type=PATH, help="Folder for a report with figures.")
@dry_run_option
@json_option
def design(
    spec: str,
    output: Path,
    resume: bool,
    minutes: float | None,
    seed: int | None,
    report_folder: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Design a lens for SPEC, a design.toml or the name of an included specification.

    Included: held, held-restoration, held-robust, held-strehl, metacamera, metacamera-200um, multi-order,
    wide-field-multi-order. The report compares the lens with a hyperbolic lens of the same size, for each field angle
    and colour.
    """
    from metalens.formats.files.atomic import require_apart, require_new_directory
    from metalens.workflows.design import checked_spec

    if report_folder is not None:
        require_new_directory(report_folder, "--report")
    require_apart(output, report_folder)
    asked = checked_spec(spec, output, minutes=minutes, seed=seed)
    from metalens.psf.design.colour_contrast import colour_contrast, colours_given_up
    from metalens.psf.design.run import check_output, design_lens, state_of, task_of
    from metalens.psf.design.search import best_of

    check_output(output, resume=resume)
    if dry_run:
        task = task_of(asked)
        state_of(task, output)
        figures = plan_of(task)
        from metalens.workflows.simulation_estimates import design_estimate

        expected = design_estimate(task, minutes)
        text = plan_text(figures, output) + starts_left_out(task)
        answer_plan(figures | {"output": str(output)}, expected, as_json, text)
        return
    with count_progress("design", "step") as tell:

        def progress(done: int, total: int, loss: float) -> None:
            tell(done, total, loss_text(asked, loss))

        made = design_lens(asked, output, resume=resume, minutes=minutes, progress=progress)
    found: dict[str, Any] = {
        "output": str(output),
        "design": asked.name,
        "spec_hash": asked.hash,
        "lens_hash": made.camera.hash,
        "steps": len(made.state.history),
        "loss": made.loss,
        "finished": made.state.finished,
    }
    text = f"{output}: {asked.name}, {loss_text(asked, made.loss)} after {found['steps']} steps"
    contrast = colour_contrast(made.task, best_of(made.state)[0])
    found["contrast"] = contrast
    if lost := colours_given_up(contrast):
        text += f"; {lost}"
    found["starts_left_out"] = list(made.task.left_out)
    text += starts_left_out(made.task) + fields_left_out(asked, made.camera)
    if not made.state.finished:
        text += "; its time was up, --resume goes on"
    if report_folder is not None:
        from metalens.psf.design.report import write_report

        found["report"] = str(report_folder)
        found |= {"lenses": write_report(made, report_folder)["lenses"]}
        text += f"; {report_folder / 'report.md'}"
    answer(found, as_json, text)


def loss_text(spec: DesignSpec, loss: float) -> str:
    """The loss, and the restored PSNR where the loss is the logarithm of the restored picture's error alone.

    Args:
        spec: the specification.
        loss: of the best lens.

    Returns:
        Text without a unit; the PSNR in dB stands in brackets after the loss.
    """
    text = f"loss {loss:z.4f}"
    objective = spec.objectives[0]
    if len(spec.objectives) == 1 and objective.kind == "restoration" and spec.fabrication is None:
        text += f" (restored, expected: {-10 / math.log(10) * loss / objective.weight:z.2f} dB)"
    return text


def starts_left_out(task: Task) -> str:
    """A clause on starts that cannot be simulated on the whole sensor; nothing if all can.

    Args:
        task: what the search works on.
    """
    if not task.left_out:
        return ""
    return f"; left out, as the sensor's corners cannot be simulated: the starts {', '.join(task.left_out)}"


_COVERED = 0.8
"""Share of the field angle of the corner: what the last field stands for."""


def fields_left_out(spec: DesignSpec, camera: Camera) -> str:
    """A clause on a sensor that reaches farther than the fields of its design.

    Args:
        spec: its fields.
        camera: with the lens that was designed.

    Returns:
        A clause that begins with a semicolon, angles in degrees; empty if the fields cover the sensor.
    """
    from metalens.psf.design.whole_sensor import corner_deg

    last, corner = max(spec.sampling.fields_deg), corner_deg(camera)
    if last >= _COVERED * corner:
        return ""
    return (
        f"; its figures end at {last:g}°, the sensor's corner lies at {corner:.1f}°: extend fields_deg, or psf shows "
        "what is beyond"
    )


def plan_of(task: Task) -> dict[str, Any]:
    """Size of the planned search, as figures."""
    problem = task.problem
    spec, lens = problem.spec, problem.view.lens
    plan = problem.simulator(lens).plan
    return {
        "design": spec.name,
        "spec_hash": spec.hash,
        "aperture_um": spec.camera.lens.aperture_um,
        "focal_length_um": spec.camera.lens.focal_length_um,
        "variables": task.variables.count,
        "starts": [start.name for start in task.starts],
        "starts_left_out": list(task.left_out),
        "fields": len(problem.field_weight),
        "wavelengths_nm": [float(1e9 * each) for each in problem.wavelength],
        "objectives": [each.kind for each in spec.objectives],
        "fabrication_samples": 0 if spec.fabrication is None else spec.fabrication.samples,
        "steps": task.largest_steps,
        "engine": plan.engine,
    }


def plan_text(plan: dict[str, Any], output: Path) -> str:
    """Describe the planned search in a sentence.

    Args:
        plan: what :func:`plan_of` returned.
        output: the ``lens.toml`` to write.

    Returns:
        The sentence.
    """
    functions = plan["fields"] * len(plan["wavelengths_nm"]) * max(plan["fabrication_samples"], 1)
    return (
        f"would design {plan['design']} ({plan['aperture_um']:g} µm at {plan['focal_length_um']:g} µm) into {output}: "
        f"{plan['variables']} variables from {len(plan['starts'])} starts, at most {plan['steps']} steps of "
        f"{functions} point spread functions each by the {plan['engine']} engine"
    )
