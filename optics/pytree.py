"""Records as JAX pytrees whose structures tell their classes apart.

To JAX, the structures of two classes of ``jax.tree_util.register_dataclass`` are equal where their static fields are;
only the hashes differ. The cache of a jitted function compares seven bits of a hash and then the structures: for two
such classes, in about one process of a hundred, it runs what was compiled for the other one. A cubic phase came out as
a hyperbolic one (docs/adr/0041). Nodes with functions of their own, as here, are compared by their class too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import jax

Record = TypeVar("Record")


def register_dataclass(
    nodetype: type[Record], data_fields: Sequence[str] | None = None, meta_fields: Sequence[str] | None = None
) -> type[Record]:
    """Register a dataclass as a pytree, in the place of ``jax.tree_util.register_dataclass``; a decorator.

    Args:
        nodetype: the dataclass.
        data_fields: its fields that are arrays or pytrees; left out, all fields that are not marked as static.
        meta_fields: its static fields; left out, those marked by ``field(metadata={"static": True})``.

    Returns:
        The class itself.
    """
    fields = dataclasses.fields(nodetype)  # type: ignore[arg-type]
    static = {each.name for each in fields if each.metadata.get("static", False)}
    data = tuple(each.name for each in fields if each.name not in static) if data_fields is None else (*data_fields,)
    meta = tuple(each.name for each in fields if each.name in static) if meta_fields is None else (*meta_fields,)
    keys = tuple(jax.tree_util.GetAttrKey(name) for name in data)

    def flatten(record: Record) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        return tuple(getattr(record, name) for name in data), tuple(getattr(record, name) for name in meta)

    def flatten_with_keys(record: Record) -> tuple[tuple[tuple[Any, Any], ...], tuple[Any, ...]]:
        values, told = flatten(record)
        return tuple(zip(keys, values, strict=True)), told

    def unflatten(told: tuple[Any, ...], values: Iterable[Any]) -> Record:
        return nodetype(**dict(zip(data, values, strict=True)), **dict(zip(meta, told, strict=True)))

    jax.tree_util.register_pytree_with_keys(nodetype, flatten_with_keys, unflatten, flatten)
    return nodetype
