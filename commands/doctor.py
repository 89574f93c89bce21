"""``metalens doctor``: what is installed, and what is slow on this machine."""

from __future__ import annotations

from typing import Any

import click

from metalens.commands.answer import answer
from metalens.commands.options import json_option


@click.command(short_help="what is installed, and what is slow here")
@json_option
def doctor(as_json: bool) -> None:
    """Report versions, devices, threads, extras with the commands that they serve, weights, and what is slow here.

    Measures for about a second. Attach the output of metalens doctor --json to bug reports.
    """
    from metalens.workflows.doctor import examine

    found = examine()
    answer(found, as_json, [*_machine(found), *_extras(found["extras"]), *_weights(found["weights"]), *_speed(found)])


def _machine(found: dict[str, Any]) -> list[str]:
    versions, machine = dict(found["versions"]), found["machine"]
    memory, devices = machine["memory_bytes"], found["devices"]
    return [
        f"metalens {versions.pop('metalens')}, Python {versions.pop('python')}, {machine['system']}",
        f"processor  {machine['processor']}; {machine['usable_cores']} may be used"
        + ("" if memory is None else f"; {memory / 1e9:.1f} GB of memory"),
        f"devices    JAX {', '.join(devices['jax'])}; PyTorch {', '.join(devices['torch']) or 'none'}",
        f"threads    {_threads(found['threads'])}",
        f"packages   {', '.join(f'{name} {version}' for name, version in versions.items() if version)}",
    ]


def _threads(threads: dict[str, Any]) -> str:
    pools = [f"{name} {count}" for name, count in threads["pools"].items()]
    return ", ".join([*(f"{name}={value}" for name, value in threads.items() if name != "pools"), *pools])


def _extras(extras: dict[str, dict[str, Any]]) -> list[str]:
    lines = ["extras"]
    for name, extra in extras.items():
        state = f"missing: {', '.join(extra['missing'])}" if extra["missing"] else "installed"
        remedy = f"; pip install 'metalens[{name}]'" if extra["missing"] else ""
        lines.append(f"  {name:<12} {state}, for {', '.join(extra['serves'])}{remedy}")
    return lines


def _weights(weights: dict[str, Any]) -> list[str]:
    if not weights:
        return ["weights    not looked for without the extra restore"]
    here = {True: "here", False: "not here"}
    return [
        f"weights    the embedded prior, {weights['embedded_prior_bytes'] / 1e6:.1f} MB; adapters "
        f"{', '.join(weights['embedded_adapters'])}; LPIPS (VGG-16) {here[weights['lpips']]}; MUSIQ "
        f"{here[weights['musiq']]}; priors of the hub: {', '.join(weights['hub_priors']) or 'none'}"
    ]


def _speed(found: dict[str, Any]) -> list[str]:
    measured = found["measured"]
    figures = [
        f"Fourier transform of 1024²: {measured['fft_1024_ms']:.3g} ms",
        f"disk: {measured['disk_mb_per_s']:.3g} MB/s",
    ]
    if "convolution_gflop_per_s" in measured:
        figures.append(f"convolution: {measured['convolution_gflop_per_s']:.3g} GFLOP/s")
    slow = [f"  {sentence}" for sentence in found["slow"]] or ["  nothing that was looked for"]
    return [f"measured   {'; '.join(figures)}", "slow here", *slow]
