"""The list of photographs to restore: held-out captures of the embedded camera, uploads, and photographs of pairs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nicegui import background_tasks, run, ui
from nicegui.events import UploadEventArguments

from metalens.app.frame import CommandBox, Progress, Sentence, card, faint
from metalens.app.held_out import begin_held_out, held_out_folder, held_out_job, load_adapter
from metalens.app.photographs import LARGEST_UPLOAD, MOST_AT_ONCE, add_pairs, add_upload, photographs_in
from metalens.app.studio import Studio
from metalens.app.watching import watch


class PhotographList:
    """The card with the list, and what adds to it.

    Args:
        studio: of the app.
        chosen: called with the key of the photograph that was chosen.
        progress: the view's bar.
        sentence: the view's place for what is wrong.
        command: the view's box for the command that does the same.
    """

    def __init__(
        self,
        studio: Studio,
        chosen: Callable[[str | None], Awaitable[None]],
        progress: Progress,
        sentence: Sentence,
        command: CommandBox,
    ) -> None:
        self.studio = studio
        self.project = studio.project
        self.progress, self.sentence, self.command = progress, sentence, command
        with card("Photograph"):
            self.select = ui.select({}, label="Photograph", on_change=lambda event: chosen(event.value))
            self.select.classes("w-full").mark("photograph")
            ui.upload(
                label="Upload captures",
                multiple=True,
                auto_upload=True,
                max_file_size=LARGEST_UPLOAD,
                max_files=MOST_AT_ONCE,
                on_upload=self.uploaded,
                on_rejected=lambda: sentence.show(
                    f"Not taken: at most {MOST_AT_ONCE} files of {LARGEST_UPLOAD // 2**20} MiB each."
                ),
            ).classes("w-full").props('flat bordered accept=".png,.jpg,.jpeg,.webp,.tif,.tiff,.bmp,.ppm"').mark(
                "upload"
            )
            faint("PNG, JPEG, WebP, TIFF, BMP or PPM.")
            folders = self.project.pairs_folders()
            if folders:
                ui.select(
                    folders, label="Take photographs of pairs", on_change=lambda event: self.take(event.value)
                ).classes("w-full")

    async def begin(self) -> None:
        """Choose the last photograph, or make the held-out captures first."""
        if not photographs_in(self.project):
            await self._held_out()
        known = self._listed()
        last = self.project.state().get("photograph")
        if known and not self.select.is_deleted:
            self.select.set_value(last if last in known else next(iter(known)))

    async def take(self, folder: str) -> None:
        """Take photographs of a folder of pairs."""
        found = await self.sentence.guarded(
            lambda: run.io_bound(add_pairs, self.project, self.project.inside(folder)), self.progress
        )
        if found:
            self._listed()
            self.select.set_value(found[0].key)

    async def uploaded(self, event: UploadEventArguments) -> None:
        """Take an upload."""
        if event.file.size() > LARGEST_UPLOAD:
            self.sentence.show(f"{event.file.name}: larger than {LARGEST_UPLOAD // 2**20} MiB; shrink it first.")
            return
        data = await event.file.read()
        found = await self.sentence.guarded(
            lambda: run.io_bound(add_upload, self.project, data, event.file.name), self.progress
        )
        if found is not None:
            self._listed()
            self.select.set_value(found.key)

    def stop(self) -> None:
        """Stop making the held-out captures."""
        held_out_job(self.studio).stop()

    async def _held_out(self) -> None:
        """Photograph the embedded held-out pictures with the embedded camera, while the adapter is loaded."""
        job = begin_held_out(self.studio)
        if job.state() == "running":
            background_tasks.create(self.sentence.guarded(lambda: load_adapter(self.studio)))
            self.command.show(job.command())
            if not await watch(job, self.progress, "photographing the held-out pictures"):
                self.sentence.show("" if job.state() == "stopped" else job.sentence())
                return
            self.progress.show(1.0, "loading the adapter")
        pairs = held_out_folder(self.project)
        await self.sentence.guarded(lambda: run.io_bound(add_pairs, self.project, pairs), self.progress)

    def _listed(self) -> dict[str, str]:
        known = {each.key: f"{each.about.title} ({each.about.source})" for each in photographs_in(self.project)}
        if not self.select.is_deleted:
            self.select.set_options(known)
        return known
