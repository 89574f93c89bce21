"""An adapter on the hub: its files, its card, and the adapters of a user."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from metalens.formats.files.errors import InputError
from metalens.formats.files.foreign_text import shown
from metalens.formats.files.input_file import input_file
from metalens.formats.hub.address import PREFIX, HubAddress, hub_address
from metalens.formats.hub.content import CARD, belongs
from metalens.formats.hub.listing import SECONDS, hub_api, hub_errors
from metalens.restore.adapter.adapter_file import load_restorer

TAG = "metalens"
"""By which adapters are found on the hub."""

_LICENCE = re.compile(r"[a-z0-9][a-z0-9.-]*")


def adapter_files(folder: Path) -> dict[str, Path]:
    """The files of a finished adapter that are sent to the hub.

    Args:
        folder: the adapter's.

    Returns:
        Name, relative to the folder → file, without the card.

    Raises:
        InputError: it is no adapter, or damaged.
    """
    load_restorer(folder)
    names = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()]
    return {name: folder / name for name in names if belongs("adapter", name) and name != CARD}


def hub_card(folder: Path, address: str, licence: str | None) -> str:
    """The model card of an adapter with the hub's front matter, and how it is used from there.

    Args:
        folder: the adapter's, with the README.md that its training wrote.
        address: of the repository.
        licence: the hub's name of the licence; None states none.

    Returns:
        The text of README.md.

    Raises:
        InputError: there is no README.md, or the licence is no name.
    """
    if licence is not None and _LICENCE.fullmatch(licence) is None:
        raise InputError(f"--licence {shown(licence)}: no name of a licence; write it as the hub does, such as mit.")
    missing = "no such file; it is the model card that metalens train writes."
    text = input_file(folder / CARD, "model card", largest=2**24, missing=missing).read_text(encoding="utf-8")
    front = [f"license: {licence}"] if licence is not None else []
    front += ["library_name: metalens", "pipeline_tag: image-to-image", "tags:", f"- {TAG}", "- image-restoration"]
    title, _, body = _without_front_matter(text).partition("\n")
    used = f"```sh\nmetalens restore captures/ --adapter {address} -o restored/\n```"
    return "\n".join(["---", *front, "---", "", title, "", used, body.rstrip("\n"), ""])


def adapters_of_user(user: str) -> Iterator[HubAddress]:
    """Adapters of a user on the hub, by their tag.

    Args:
        user: ``hf:user``, or the user's name alone.

    Raises:
        InputError: it is no name, or the hub does not answer.
    """
    name = hub_address(f"{PREFIX}{user.removeprefix(PREFIX)}/x").repository.partition("/")[0]
    endpoint = hub_api().endpoint
    from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

    with hub_errors(f"{PREFIX}{name}", "model"):
        # HfApi.list_models tries for 23 seconds where there is no network.
        asked: dict[str, str | int] = {"author": name, "filter": TAG, "limit": 1000}
        told = get_session().get(f"{endpoint}/api/models", params=asked, headers=build_hf_headers(), timeout=SECONDS)
        hf_raise_for_status(told)
        found = [str(each["id"]) for each in told.json()]
    yield from (hub_address(f"{PREFIX}{each}") for each in sorted(found))


def _without_front_matter(text: str) -> str:
    found = re.match(r"---\n.*?\n---\n+", text, re.DOTALL)
    return text[found.end() :] if found else text
