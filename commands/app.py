"""``metalens app``: the pipeline in a browser."""

from __future__ import annotations

from pathlib import Path

import click

from metalens.commands.answer import answer
from metalens.commands.options import json_option


@click.command(short_help="restore, simulate, design and look in a browser")
@click.argument("folder", type=click.Path(path_type=Path), default=".")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=0,
    show_default="any free one",
    help="TCP port.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to bind to; any other address can be reached from other machines.",
)
@click.option(
    "--name",
    "names",
    multiple=True,
    help="A further host name under which the app may be opened; repeat for more.",
)
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@json_option
def app(folder: Path, port: int, host: str, names: tuple[str, ...], no_browser: bool, as_json: bool) -> None:
    """Open a web app on this machine that works in FOLDER: Restore, Lens, Design and Data.

    The address holds a secret token; whoever has it can do what you can in FOLDER. Results and state are files in
    FOLDER/metalens-app. Ctrl-C ends the app and everything that it started. See docs/app.md.
    """
    from metalens.formats.files.extras import require

    require("metalens app", "nicegui")
    from metalens.app.address import free_address
    from metalens.app.embedded import ADAPTERS
    from metalens.app.project import open_project
    from metalens.app.studio import Studio

    studio = Studio(open_project(folder))
    address = free_address(host, port, names)

    def say(url: str) -> None:
        text = [url, f"The app works in {studio.project.folder}; Ctrl-C ends it."]
        answer({"url": url, "folder": str(studio.project.folder)}, as_json, text)

    try:
        # It loads while the packages of the pages are imported.
        studio.restoring.start(ADAPTERS[0])
        from metalens.app.server import serve

        serve(studio, address, browser=not no_browser, say=say)
    finally:
        studio.end_all()
