"""Pull and push, as ``data`` and ``adapter`` have them: options, what is told before, and the answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metalens.commands.answer import answer, counted, tell_line
from metalens.commands.options import together
from metalens.commands.progress import count_progress

if TYPE_CHECKING:
    from metalens.formats.hub.content import Content
    from metalens.formats.hub.pushing import PushPlan

push_options = together(
    click.option(
        "--public", is_flag=True, help="Everyone may see the repository, if it is made now. [default: private]"
    ),
    click.option("--message", default="Push from metalens", show_default=True, help="Message of the commits."),
    click.option("--dry-run", is_flag=True, help="Tell what would be sent."),
)
"""``--public``, ``--message`` and ``--dry-run``."""


def pull_to(address: str, output: Path, content: Content, *, resume: bool, dry_run: bool, as_json: bool) -> None:
    """Pull a revision into a folder, and answer.

    Args:
        address: on the hub.
        output: the folder.
        content: what the repository is to hold.
        resume: go on with an interrupted pull.
        dry_run: only tell what would be pulled.
        as_json: answer as JSON.

    Raises:
        InputError: see :func:`metalens.formats.hub.pulling.pull`.
    """
    from metalens.formats.files.claim import check_claim
    from metalens.formats.hub.address import hub_address
    from metalens.formats.hub.content import selected
    from metalens.formats.hub.listing import list_revision
    from metalens.formats.hub.pulling import NOTE, note_of, pull

    asked = hub_address(address)
    check_claim(output, NOTE, resume=resume)
    listing = selected(list_revision(asked, "model" if content == "adapter" else "dataset"), content)
    check_claim(output, NOTE, resume=resume, asked=note_of(listing).model_dump(by_alias=True))
    sizes = f"{counted(len(listing.files), 'file')} of {listing.size / 1e6:.1f} MB"
    figures = {"output": str(output), "address": str(listing.address), "files": len(listing.files)}
    figures |= {"bytes": listing.size}
    if dry_run:
        answer(figures, as_json, f"would pull {sizes} from {listing.address} into {output}")
        return
    tell_line(f"{listing.address}: {sizes}")
    with count_progress("pulled", "B") as tell:
        pull(listing, output, resume=resume, progress=tell)
    answer(figures, as_json, f"{output}: {sizes}, as {listing.address} has them")


def push_plan(plan: PushPlan, *, public: bool, message: str, dry_run: bool, as_json: bool) -> None:
    """Send the files of a plan, and answer.

    Args:
        plan: what is sent.
        public: whether everyone may see a new repository.
        message: of the commits.
        dry_run: only tell what would be sent.
        as_json: answer as JSON.

    Raises:
        InputError: see :func:`metalens.formats.hub.pushing.push`.
    """
    from metalens.formats.hub.pushing import push

    sizes = f"{counted(len(plan.files), 'file')} of {plan.size / 1e6:.1f} MB"
    what = f"the {'existing' if plan.exists else 'new public' if public else 'new private'} {plan.kind} {plan.address}"
    told = f"{sizes} to {what} ({plan.unchanged} there already, {len(plan.stale)} to remove)"
    figures: dict[str, Any] = {"files": len(plan.files), "bytes": plan.size, "unchanged": plan.unchanged}
    figures |= {"removed": list(plan.stale), "exists": plan.exists}
    if dry_run:
        answer({"address": str(plan.address), **figures}, as_json, f"would send {told}")
        return
    tell_line(f"sends {told}")
    with count_progress("sent", "B") as tell:
        made = push(plan, public=public, message=message, progress=tell)
    answer({"address": str(made), **figures}, as_json, f"{made}: {sizes} sent; this address always names this revision")
