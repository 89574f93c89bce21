"""The layout of a lens, down to its meta-atoms: a card of the view *Lens*."""

from __future__ import annotations

from nicegui import ui
from nicegui.events import GenericEventArguments

from metalens.app.files import url_of
from metalens.app.frame import CommandBox, Progress, Sentence, card, faint
from metalens.app.job import shown_command
from metalens.app.studio import Studio
from metalens.app.watching import watch
from metalens.formats.camera.camera import Camera
from metalens.formats.files.toml_file import shipped_names

OWN = "of the lens"
_LEAST_WINDOW_UM = 2.0


class LayoutCard:
    """Zoom into the layout, and its export.

    Args:
        studio: of the app.
        name: of the panel that it belongs to.
    """

    def __init__(self, studio: Studio, name: str) -> None:
        self.studio = studio
        self.project = studio.project
        self.lens: str | None = None
        self.key = ""
        self.aperture_um = 0.0
        with card("Layout"):
            self.library = ui.select(
                [OWN, *shipped_names("meta_atoms/libraries")], value=OWN, label="Library of meta-atoms"
            )
            self.library.classes("w-full").on_value_change(self.forget).mark(f"{name} library")
            with ui.row().classes("w-full gap-3"):
                ui.button("Draw", on_click=self.draw).props("no-caps outline").mark(f"{name} layout")
                ui.button("Write as GDSII", on_click=self.export).props("no-caps outline").mark(f"{name} gds")
            self.progress = Progress(self.stop)
            self.sentence = Sentence()
            self.picture = ui.image("").classes("w-full metalens-square").props('fit=contain alt="Layout of the lens"')
            self.picture.set_visibility(False)
            self.told = faint("").props("role=status aria-live=polite").mark(f"{name} layout-told")
            with ui.column().classes("w-full gap-0"):
                ui.label("Window: from the whole lens to single meta-atoms").classes("text-sm")
                self.zoom = ui.slider(min=0, max=1, step=0.05, value=0).on("change", self.zoomed)
                self.zoom.props('aria-label="Zoom into the layout"').mark(f"{name} zoom")
            with ui.row().classes("w-full gap-3 no-wrap"):
                self.y = ui.number("centre y (µm)", value=0.0).classes("w-28").on("change", self.draw)
                self.x = ui.number("centre x (µm)", value=0.0).classes("w-28").on("change", self.draw)
            self.links = ui.row().classes("w-full")
            self.command = CommandBox()

    def show(self, lens: str, camera: Camera) -> None:
        """Another lens was chosen.

        Args:
            lens: its preset or file.
            camera: what that holds.
        """
        self.lens, self.key, self.aperture_um = lens, camera.hash[:16], camera.lens.aperture_um
        self.forget()

    def forget(self) -> None:
        """Nothing is drawn any more."""
        self.picture.set_visibility(False)
        self.told.set_text("")
        self.links.clear()
        self.sentence.show("")
        if self.lens is not None:
            self.command.show(shown_command(self._arguments()))

    @property
    def window_um(self) -> float:
        """Width of the window: the whole aperture, down to 2 µm."""
        return float(self.aperture_um * (_LEAST_WINDOW_UM / self.aperture_um) ** self.zoom.value)

    async def zoomed(self, event: GenericEventArguments) -> None:
        """The slider of the window was released."""
        # The value itself comes later than this, as it is throttled.
        self.zoom.set_value(float(event.args))
        await self.draw()

    async def draw(self) -> None:
        """Draw the window."""
        if self.lens is None:
            return
        request = {
            "do": "layout",
            "lens": self.lens,
            "library": self._library(),
            "centre_um": [float(self.y.value or 0), float(self.x.value or 0)],
            "width_um": self.window_um,
        }
        self.sentence.show("")
        found = await self.sentence.guarded(lambda: self.studio.simulating.ask(request, self.progress.show))
        self.progress.hide()
        if found is not None and not self.picture.is_deleted:
            # Another address each time, or the browser shows what it has.
            self.picture.set_source(f"{url_of(found['picture'])}?{self.window_um:g},{self.y.value},{self.x.value}")
            self.picture.set_visibility(True)
            self.told.set_text(f"{found['atoms']} meta-atoms in a window of {self.window_um:.3g} µm.")

    def _library(self) -> str | None:
        return None if self.library.value == OWN else str(self.library.value)

    def _arguments(self) -> list[str]:
        library = self._library()
        name = f"{self.key}-{library or 'own'}"
        found = ["export", str(self.lens), "--gds", f"{self.project.own.name}/layouts/{name}.gds"]
        return found if library is None else [*found, "--library", library]

    async def export(self) -> None:
        """Write the layout, as a command."""
        if self.lens is None:
            return
        self.project.part("layouts")
        arguments = self._arguments()
        target = self.project.folder / arguments[3]
        job = self.studio.jobs.job(f"gds-{target.stem}")
        if not target.is_file() and job.state() != "running":
            job.start([*arguments, "--json"])
        if target.is_file() or await watch(job, self.progress, "writing the layout"):
            self.links.clear()
            with self.links:
                ui.link("Download the layout (GDSII)", url_of(arguments[3])).props("download")
        elif job.state() == "failed":
            self.sentence.show(job.sentence())

    async def stop(self) -> None:
        """Stop what runs."""
        self.studio.jobs.job(f"gds-{self.key}-{self._library() or 'own'}").stop()
        await self.studio.simulating.stop()
