"""The frame of every page: title, navigation, dark and light, and the elements that all views use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

from metalens.app.project import Project
from metalens.formats.files.errors import InputError, sentence_of

VIEWS = {"/": "Restore", "/lens": "Lens", "/design": "Design", "/data": "Data"}
"""Path → title, in the order of the navigation."""

SCHEMES: dict[str, bool | None] = {"auto": None, "light": False, "dark": True}

_STYLE = Path(__file__).with_name("frame.css")


def frame(project: Project, routes: dict[str, Callable[[], None]]) -> None:
    """Build the page: the header, and below it the view that the address names.

    Args:
        project: remembers dark and light.
        routes: path → function that builds the view; the paths are those of :data:`VIEWS`.
    """
    ui.on_exception(_tell)
    ui.colors(primary="#2f5f94", negative="#b3261e", warning="#8a4b00", positive="#1f6f43")
    ui.add_css(_STYLE)
    scheme = str(project.state().get("scheme", "auto"))
    dark = ui.dark_mode(SCHEMES.get(scheme))
    with ui.header().classes("metalens-header items-center"):
        ui.label("metalens").classes("text-lg font-semibold")
        with ui.element("nav").props('aria-label="Views"'):
            links = {path: ui.link(title, path) for path, title in VIEWS.items()}
        ui.space()

        def choose(value: str) -> None:
            dark.set_value(SCHEMES[value])
            project.remember(scheme=value)

        with ui.row().classes("gap-1").props('role=group aria-label="Colour scheme"'):
            for name, icon in (("auto", "brightness_auto"), ("light", "light_mode"), ("dark", "dark_mode")):
                ui.button(icon=icon, on_click=lambda name=name: choose(name)).props(
                    f'flat dense round size=sm color=white aria-label="Colours: {name}"'
                )

    def mark(path: str) -> None:
        for target, link in links.items():
            link.props("aria-current=page") if target == path else link.props(remove="aria-current")

    router = ui.context.client.sub_pages_router
    mark(router.current_path)
    router.on_path_changed(mark)
    main = ui.element("main").classes("metalens-main")
    ui.skip_link(target=main)
    with main:
        ui.sub_pages(dict(routes)).classes("w-full")


def _tell(error: Exception) -> None:
    """Show a sentence that no part of the page has a place for."""
    if isinstance(error, InputError):
        ui.notify(sentence_of(error), type="negative", multi_line=True, timeout=0, close_button="Close")


def card(title: str) -> ui.column:
    """A card with a heading; used as a context manager."""
    found = ui.column().classes("metalens-card")
    with found:
        heading(title)
    return found


def heading(text: str) -> TextElement:
    """A heading of a card."""
    return TextElement(tag="h2", text=text)


def faint(text: str) -> ui.label:
    """Text in a faint colour: a remark."""
    return ui.label(text).classes("metalens-faint")


class CommandBox:
    """The command that does the same, with a button that copies it."""

    text: ui.label

    def __init__(self) -> None:
        with ui.column().classes("w-full gap-1"):
            with ui.row().classes("w-full items-center justify-between no-wrap"):
                faint("The same as a command, in the project folder:")
                ui.button(icon="content_copy", on_click=lambda: ui.clipboard.write(self.text.text)).props(
                    'flat dense size=sm aria-label="Copy the command"'
                )
            self.text = ui.label("").classes("metalens-command").mark("command")

    def show(self, command: str) -> None:
        """Set the command."""
        self.text.set_text(command)


class Progress:
    """A progress bar with what is being done, and a button that stops it; hidden while nothing runs."""

    def __init__(self, stop: Callable[[], Any]) -> None:
        with ui.row().classes("w-full items-center no-wrap gap-2") as self.row:
            with ui.column().classes("w-full gap-0"):
                self.label = ui.label("").props("role=status aria-live=polite").classes("text-sm")
                self.bar = ui.linear_progress(0.0, show_value=False).props('aria-label="Progress" instant-feedback')
            ui.button("Stop", on_click=stop).props("outline dense no-caps").mark("stop")
        self.row.set_visibility(False)

    def show(self, share: float, text: str) -> None:
        """Show how much is done.

        Args:
            share: 0 to 1.
            text: what is being done.
        """
        if not self.row.is_deleted:
            self.bar.set_value(share)
            self.label.set_text(text)
            self.row.set_visibility(True)

    def hide(self) -> None:
        """Hide the bar, when nothing runs."""
        if not self.row.is_deleted:
            self.row.set_visibility(False)


class Sentence:
    """A place for what went wrong, or for a warning; read aloud when it appears."""

    def __init__(self) -> None:
        self.label = ui.label("").classes("metalens-warning").props("role=alert").mark("sentence")
        self.label.set_visibility(False)

    def show(self, text: str) -> None:
        """Show a sentence; an empty one hides it."""
        if not self.label.is_deleted:
            self.label.set_text(text)
            self.label.set_visibility(bool(text))

    async def guarded(self, work: Callable[[], Awaitable[Any]], progress: Progress | None = None) -> Any:
        """Await work; what is wrong with it is shown as a sentence.

        Args:
            work: starts the work.
            progress: its bar, which is hidden when it fails.

        Returns:
            Its result, or None where it failed.
        """
        try:
            return await work()
        except InputError as error:
            if progress is not None:
                progress.hide()
            self.show(sentence_of(error))
            return None


def figures_table(head: list[str], rows: list[list[str]], groups: list[tuple[str, int]] | None = None) -> None:
    """A table of figures.

    Args:
        head: text of each column.
        rows: text of each cell.
        groups: text above the columns, and how many of them it spans.
    """
    with ui.element("div").classes("metalens-wide"), ui.element("table").classes("metalens-table"):
        with ui.element("thead"):
            if groups is not None:
                with ui.element("tr"):
                    for text, columns in groups:
                        TextElement(tag="th", text=text).props(f"scope=colgroup colspan={columns}").classes("group")
            with ui.element("tr"):
                for text in head:
                    TextElement(tag="th", text=text).props("scope=col")
        with ui.element("tbody"):
            for row in rows:
                with ui.element("tr"):
                    for text in row:
                        TextElement(tag="td", text=text)
