"""``metalens data push`` and ``metalens data pull``: pairs on the model hub."""

from __future__ import annotations

from pathlib import Path

import click

from metalens.commands.bank import given_bank
from metalens.commands.hub import pull_to, push_options, push_plan
from metalens.commands.options import PATH, json_option, output_option, resume_option


@click.command(short_help="pairs to the model hub")
@click.argument("pairs", type=PATH)
@click.argument("address")
@click.option("--psf", "psf_path", type=PATH, help="The psf.h5 to go with them, or its preset or lens.toml.")
@push_options
@json_option
def push(
    pairs: Path, address: str, psf_path: Path | None, public: bool, message: str, dry_run: bool, as_json: bool
) -> None:
    """Send PAIRS to ADDRESS, hf:user/name, with a card: cameras, licences, seeds, versions and an example sheet.

    The same command goes on with an interrupted push, and sends changed files only. Log in once by `hf auth login`.
    """
    import tempfile

    from metalens.formats.files.errors import InputError
    from metalens.formats.hub.address import hub_address
    from metalens.formats.hub.content import CARD, PSF, SHEET
    from metalens.formats.hub.pushing import plan_push
    from metalens.formats.pairs.dataset_card import dataset_card, write_example_sheet
    from metalens.formats.pairs.manifest import MANIFEST
    from metalens.formats.pairs.reader import read_pairs, require_same_camera
    from metalens.formats.psf.bank_file import read_psf_bank

    to, opened = hub_address(address), read_pairs(pairs)
    unknown = [source.name for source in opened.manifest.sources if not source.licence]
    if public and unknown:
        raise InputError(
            f"{pairs}: the licence of {len(unknown)} of {len(opened.manifest.sources)} photographs is unknown (first: "
            f"{unknown[0]}); publish what you may: state it in a manifest.json beside the photographs and make the "
            "pairs again, or leave --public out."
        )
    psf = None if psf_path is None else given_bank(psf_path)
    bank = None if psf is None else read_psf_bank(psf)
    if bank is not None:
        require_same_camera(opened, bank)
    files = {MANIFEST: opened.folder / MANIFEST}
    files |= {name: opened.folder / name for shard in opened.manifest.shards for name in (shard.name, shard.marker)}
    if psf is not None:
        files[PSF] = psf
    with tempfile.TemporaryDirectory() as folder:
        card = Path(folder) / CARD
        card.write_text(dataset_card(opened, str(to), bank), encoding="utf-8")
        files |= {CARD: card, SHEET: write_example_sheet(opened, Path(folder))}
        plan = plan_push(to, "pairs", files, last=(MANIFEST,))
        push_plan(plan, public=public, message=message, dry_run=dry_run, as_json=as_json)


@click.command(short_help="pairs from the model hub")
@click.argument("address")
@output_option("The folder of pairs to make.")
@resume_option
@click.option("--dry-run", is_flag=True, help="Tell what would be pulled.")
@json_option
def pull(address: str, output: Path, resume: bool, dry_run: bool, as_json: bool) -> None:
    """Pull pairs from ADDRESS, hf:user/name or hf:user/name@REVISION, into a folder; each file is checked.

    Commands that read pairs take the address in the place of a folder, too: then they are kept in the cache folder.
    """
    pull_to(address, output, "pairs", resume=resume, dry_run=dry_run, as_json=as_json)
