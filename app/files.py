"""Files of the app over HTTP: pictures and downloads of its own folder, and painted maps of α that come in."""

from __future__ import annotations

import io
import mimetypes
from contextlib import closing
from typing import Annotated, Literal
from urllib.parse import quote

import numpy as np
from fastapi import APIRouter, Request, Response
from fastapi import Path as InPath
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse
from PIL import Image

from metalens.app.photographs import photograph
from metalens.app.project import Project
from metalens.app.restore_service import map_name
from metalens.formats.files.errors import InputError
from metalens.formats.pairs.reader import read_pairs
from metalens.formats.pictures.pictures import decode_picture, with_picture, write_picture

SERVED = {".png", ".safetensors", ".h5", ".toml", ".svg", ".gds"}
"""Endings of the files that are served."""


_SHEET_SIDE = 256
"""Pixels of the larger side of a picture on a contact sheet."""


def url_of(path: str) -> str:
    """Address of a file of the app's own folder.

    Args:
        path: relative to the project folder.
    """
    return f"/file/{quote(path)}"


def url_of_pair(folder: str, index: int, which: str) -> str:
    """Address of a picture of a pair.

    Args:
        folder: of pairs, relative to the project folder.
        index: of the pair.
        which: ``clean`` or ``degraded``.

    Returns:
        Path and query of the address, with the folder's name quoted.
    """
    return f"/pair/{which}/{index}?folder={quote(folder, safe='')}"


def routes(project: Project) -> APIRouter:
    """The addresses.

    Args:
        project: whose files they are.
    """
    router = APIRouter()

    @router.get("/file/{path:path}")
    def file(path: str) -> Response:
        try:
            found = project.inside(path)
        except InputError as error:
            return PlainTextResponse(str(error), 403)
        if project.own not in found.parents or found.suffix not in SERVED or not found.is_file():
            return PlainTextResponse("There is no such file among those of the app.", 404)
        kind = mimetypes.guess_type(found.name)[0] or "application/octet-stream"
        return FileResponse(found, media_type=kind, headers={"Cache-Control": "private, no-cache"})

    @router.post("/alpha-map/{key}/{restorer}")
    async def alpha_map(
        request: Request, key: str, restorer: Annotated[str, InPath(pattern=r"^[0-9a-f]{8}-([0-9a-f]{8}|none)$")]
    ) -> Response:
        """Keep a painted map as a grey PNG of the photograph's size."""
        try:
            given = photograph(project, key)
            folder = given.folder / restorer
            if not folder.is_dir():
                raise InputError("the photograph is not open; choose it again.")
            picture = _as_map(await request.body(), given.about.pixels)
        except InputError as error:
            return PlainTextResponse(str(error), 400)
        name = map_name(picture.tobytes())
        write_picture(folder / name, picture)
        return JSONResponse({"map": name})

    @router.get("/pair/{which}/{index}")
    def pair(which: Literal["clean", "degraded"], index: Annotated[int, InPath(ge=0)], folder: str) -> Response:
        """A picture of a pair, small enough for a contact sheet."""
        try:
            with closing(read_pairs(project.inside(folder))) as pairs:
                if index >= len(pairs):
                    raise InputError(f"there are {len(pairs)} pairs.")
                picture = Image.fromarray(getattr(pairs.sample(index), which))
        except InputError as error:
            return PlainTextResponse(str(error), 404)
        picture.thumbnail((_SHEET_SIDE, _SHEET_SIDE))
        data = io.BytesIO()
        picture.save(data, "PNG")
        return Response(data.getvalue(), media_type="image/png", headers={"Cache-Control": "private, no-cache"})

    return router


def _as_map(data: bytes, pixels: tuple[int, int]) -> np.ndarray:
    """A painted map as grey ``[y, x]``.

    Raises:
        InputError: it is no picture, or of another size than the photograph.
    """
    size = with_picture(data, "the map of α", lambda picture: picture.size)
    if size != (pixels[1], pixels[0]):
        raise InputError(f"the map of α has {size[1]} × {size[0]} pixels, the photograph {pixels[0]} × {pixels[1]}.")
    return np.ascontiguousarray(decode_picture(data, origin="the map of α")[..., 0])
