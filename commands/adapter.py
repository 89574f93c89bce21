"""``metalens adapter``: adapters on the model hub, and those that are here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from metalens.commands.answer import answer
from metalens.commands.hub import pull_to, push_options, push_plan
from metalens.commands.options import json_option, output_option, resume_option


@click.group(short_help="push, pull and list adapters")
def adapter() -> None:
    """Push adapters to the model hub, pull them, and list those that are here. Commands take --json."""


@adapter.command(short_help="an adapter to the model hub")
@click.argument("folder", metavar="ADAPTER")
@click.argument("address")
@click.option("--licence", help="The hub's name of the licence that you give it, such as mit or cc-by-4.0.")
@push_options
@json_option
def push(
    folder: str, address: str, licence: str | None, public: bool, message: str, dry_run: bool, as_json: bool
) -> None:
    """Send ADAPTER, a folder, to ADDRESS, hf:user/name, with its model card and its figures.

    Weights are sent as safetensors; checkpoints and logs stay here. Log in once by `hf auth login`.
    """
    import tempfile

    from metalens.formats.hub.address import hub_address
    from metalens.formats.hub.content import CARD
    from metalens.formats.hub.pushing import plan_push
    from metalens.restore.adapter.adapter_file import adapter_folder
    from metalens.restore.adapter.hub_card import adapter_files, hub_card

    to, source = hub_address(address), adapter_folder(folder)
    files = adapter_files(source)
    with tempfile.TemporaryDirectory() as place:
        card = Path(place) / CARD
        card.write_text(hub_card(source, str(to), licence), encoding="utf-8")
        files |= {CARD: card}
        plan = plan_push(to, "adapter", files, last=("adapter.json",))
        push_plan(plan, public=public, message=message, dry_run=dry_run, as_json=as_json)


@adapter.command(short_help="an adapter from the model hub")
@click.argument("address")
@output_option("The folder of the adapter to make.")
@resume_option
@click.option("--dry-run", is_flag=True, help="Tell what would be pulled.")
@json_option
def pull(address: str, output: Path, resume: bool, dry_run: bool, as_json: bool) -> None:
    """Pull an adapter from ADDRESS, hf:user/name or hf:user/name@REVISION, into a folder; each file is checked.

    A repository with anything but safetensors, HDF5, JSON, Markdown and PNG is refused. --adapter takes the address in
    the place of a folder, too: then the adapter is kept in the cache folder.
    """
    pull_to(address, output, "adapter", resume=resume, dry_run=dry_run, as_json=as_json)


@adapter.command("list", short_help="adapters that are here, or on the hub")
@click.argument("user", required=False)
@json_option
def list_(user: str | None, as_json: bool) -> None:
    """List the embedded adapters and those that were pulled; with USER, hf:user, those of a user on the hub."""
    from metalens.formats.hub.kept import kept_revisions
    from metalens.restore.adapter.adapter_file import describe_adapter, embedded_adapters
    from metalens.restore.adapter.hub_card import adapters_of_user

    found: list[dict[str, Any]] = []
    if user is None:
        found += [
            {"adapter": name, "where": "embedded", **_camera(describe_adapter(name))} for name in embedded_adapters()
        ]
        found += [
            {"adapter": str(address), "where": str(folder), **_camera(describe_adapter(folder))}
            for address, folder in kept_revisions("adapter")
        ]
    else:
        found += [{"adapter": str(each), "where": "hub"} for each in adapters_of_user(user)]
    lines = [f"{each['adapter']}  ({each['where']}{each.get('told', '')})" for each in found]
    for each in found:
        each.pop("told", None)
    answer({"adapters": found}, as_json, lines or "no adapter")


def _camera(description: dict[str, Any]) -> dict[str, Any]:
    from metalens.formats.camera.camera import known_as, parse_camera

    camera = parse_camera(description["lens_toml"], origin="adapter.json: its lens_toml")
    name = known_as(camera.name, camera.hash)
    return {"camera": name, "lens_hash": camera.hash, "told": f"; camera {name}"}
