"""Pages of the reference: every public name, with its docstring."""

from __future__ import annotations

import inspect
from importlib import import_module

from pydantic import BaseModel

MODULES = {
    "metalens": "The front door: the three jobs, and the records that they pass on.",
    "metalens.optics": "Lenses and phase profiles.",
    "metalens.psf": "Point spread functions.",
    "metalens.synth": "Blur, sensor and training pairs.",
}
"""Module → what it has."""

_FILES = {"Camera": "lens", "DesignSpec": "design"}
"""Record → the page of its file."""


def reference_pages() -> dict[str, str]:
    """File name → content, in reStructuredText."""
    pages = {f"reference/{module}.rst": _page(module, about) for module, about in MODULES.items()}
    names = "\n".join(f"   {module}" for module in MODULES)
    title = "Reference"
    pages["reference/index.rst"] = (
        f"{title}\n{'=' * len(title)}\n\nEvery public name, with shapes, units and ranges. Lengths are metres and "
        "angles radians unless a name\nor a description says otherwise; arrays are ``[..., y, x]``.\n\n"
        f".. toctree::\n   :maxdepth: 2\n\n{names}\n   commands\n"
    )
    return pages


def _page(module: str, about: str) -> str:
    found = import_module(module)
    names = sorted(found.__all__, key=str.lower)
    front = import_module("metalens")
    # The front door has the very same objects of some stages: their description stands there once.
    known = [name for name in names if module != "metalens" and getattr(front, name, None) is getattr(found, name)]
    text = f"{module}\n{'=' * len(module)}\n\n{about}\n\n"
    if known:
        text += f"Also here: {', '.join(f':py:obj:`metalens.{name}`' for name in known)}.\n\n"
    return text + "\n".join(_entry(module, name, getattr(found, name)) for name in names if name not in known)


def _entry(module: str, name: str, value: object) -> str:
    if inspect.ismodule(value) and not callable(value):
        return ""
    if inspect.ismodule(value):  # a folder that is a function: the docstring is the function's
        return f".. py:function:: {module}.{name}{inspect.signature(value)}\n\n{_indented(value)}\n"
    if inspect.isclass(value) and issubclass(value, BaseModel):
        page = _FILES.get(name)
        keys = f"\n   Its keys are those of :doc:`/file-formats/{page}`.\n" if page else ""
        options = "   :members:\n   :exclude-members: model_config\n"
        return f".. autoclass:: {module}.{name}(**keys)\n{options}{keys}"
    if inspect.isclass(value):
        return f".. autoclass:: {module}.{name}\n   :members:\n"
    if callable(value):
        return f".. autofunction:: {module}.{name}\n"
    return f".. py:data:: {module}.{name}\n\n   ``{value!r}``\n"


def _indented(value: object) -> str:
    from sphinx.ext.napoleon import Config, GoogleDocstring

    from metalens.restore.inference.picture import restore_picture

    assert value is not None
    text = str(GoogleDocstring(inspect.getdoc(restore_picture) or "", Config(napoleon_use_ivar=True)))
    return "\n".join(f"   {line}" if line else "" for line in text.splitlines())
