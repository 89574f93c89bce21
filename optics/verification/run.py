"""All zones of a verification, one zone and wavelength a job, in parallel and resumable."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from metalens.formats.files.atomic import write_text
from metalens.formats.files.claim import claimed_folder
from metalens.formats.files.json_file import read_record
from metalens.formats.meta_atoms.verification import Verification, VerifiedZone
from metalens.optics.verification.plan import VerificationPlan, plan_of_json
from metalens.optics.verification.zone import verified_zone
from metalens.runners.job import Progress, Runner

ASKED = "asked.json"
"""File with the settings in the folder of finished zones."""

VERIFY = "metalens.optics.verification.run:verify_part"
"""The job's name."""


def asked_of(plan: VerificationPlan) -> dict[str, Any]:
    """What the results of a run depend on: the plan and the versions of the packages."""
    return {"plan": plan.asked(), "versions": _versions()}


def _versions() -> dict[str, str]:
    return {name: version(name) for name in ("fmmax", "jax", "numpy", "scipy")}


def verify_lens(
    plan: VerificationPlan,
    parts: Path,
    runner: Runner,
    *,
    resume: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Verification:
    """Compute all zones of a plan.

    Args:
        plan: from :func:`plan_verification`.
        parts: a folder for finished zones; the caller removes it when the result is written.
        runner: where the jobs run.
        resume: use the zones of an earlier run of the same plan in the folder.
        progress: called with the number of jobs done and their total.

    Returns:
        Efficiency, orders and phase error of each zone, wavelength, field and polarisation.

    Raises:
        InputError: the folder holds another plan's zones, or a finished one is damaged.
    """
    asked = plan.asked()
    with claimed_folder(parts, ASKED, asked_of(plan), resume=resume):
        jobs = [(count, place) for count in sorted(plan.zones, reverse=True) for place in range(len(plan.wavelengths))]
        paths = {job: parts / f"{job[0]:03d}-{job[1]:03d}.json" for job in jobs}
        missing = [job for job in jobs if not paths[job].is_file()]
        progress(len(jobs) - len(missing), len(jobs))
        specs = [
            {"plan": asked, "count": count, "wavelength": place, "part": str(paths[count, place].resolve())}
            for count, place in missing
        ]
        for done, _ in enumerate(runner.run(VERIFY, specs), start=len(jobs) - len(missing) + 1):
            progress(done, len(jobs))
        rows = [row for job in sorted(jobs) for row in _load(paths[job])]
    return Verification(
        camera=plan.camera.name,
        lens_hash=plan.camera.hash,
        library=plan.library.name,
        tolerance=plan.tolerance,
        zones=tuple(rows),
        versions=_versions(),
    )


def verify_part(spec: Mapping[str, Any], progress: Progress) -> None:
    """Compute one zone at one wavelength and write its file; runs as a job in a worker process.

    Args:
        spec: ``plan`` as of :meth:`VerificationPlan.asked`, ``count`` of the zone's meta-atoms, number of the
            ``wavelength``, and ``part``, the file to write.
        progress: not used.
    """
    del progress
    plan = plan_of_json(spec["plan"])
    rows = verified_zone(plan, spec["count"], plan.wavelengths[spec["wavelength"]])
    write_text(spec["part"], json.dumps([row.model_dump(mode="json") for row in rows]) + "\n")


def _load(path: Path) -> list[VerifiedZone]:
    return read_record(path, list[VerifiedZone], "part of a verification", "remove it, and --resume computes it again")
