"""The list of photographs to restore: held-out captures of the embedded camera, uploads, and photographs of pairs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from nicegui import run, ui
from nicegui.events import UploadEventArguments

from metalens.app.frame import Progress, Sentence, card, faint
from metalens.app.held_out import add_held_out, begin_held_out, begin_project, held_out_job
from metalens.app.job import Job
from metalens.app.photographs import LARGEST_UPLOAD, MOST_AT_ONCE, add_pairs, add_upload, photographs_in
from metalens.app.studio import Studio

_SECONDS = 0.5


class PhotographList:
    """The card with the list, and what adds to it.

    Args:
        studio: of the app.
        chosen: called with the key of the photograph that was chosen.
        progress: the view's bar.
        sentence: the view's place for what is wrong.
    """

    def __init__(
        self,
        studio: Studio,
        chosen: Callable[[str | None], Awaitable[None]],
        progress: Progress,
        sentence: Sentence,
    ) -> None:
        self.studio = studio
        self.project = studio.project
        self.progress, self.sentence = progress, sentence
        self.asked = False
        with card("Photograph"):
            self.select = ui.select({}, label="Photograph", on_change=lambda event: chosen(event.value))
            self.select.classes("w-full").mark("photograph")
            self.note = faint("")
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
        """Choose the last photograph, or that with which a project begins."""
        await self.sentence.guarded(lambda: run.io_bound(begin_project, self.project), self.progress)
        known = self._listed()
        last = self.project.state().get("photograph")
        if known and not self.select.is_deleted:
            self.select.set_value(last if last in known else next(iter(known)))

    async def take(self, folder: str) -> None:
        """Take photographs of a folder of pairs."""
        found = await self.sentence.guarded(lambda: run.io_bound(add_pairs, self.project, folder), self.progress)
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

    async def add_further(self) -> None:
        """Capture the further held-out photographs, once a page, while others are restored."""
        if self.asked:
            return
        self.asked = True

        async def begin() -> Job | None:
            return begin_held_out(self.studio)

        job = await self.sentence.guarded(begin)
        if job is None:
            return
        while job.state() == "running" and not self.note.is_deleted:
            self.note.set_text("Two more held-out photographs are being captured.")
            await asyncio.sleep(_SECONDS)
        if self.note.is_deleted:
            return
        self.note.set_text("")
        if job.state() == "failed":
            self.sentence.show(job.sentence())
        elif job.state() == "done":
            await self.sentence.guarded(lambda: run.io_bound(add_held_out, self.project))
            self._listed()

    def _listed(self) -> dict[str, str]:
        known = {each.key: f"{each.about.title} ({each.about.source})" for each in photographs_in(self.project)}
        if not self.select.is_deleted:
            self.select.set_options(known)
        return known
