"""Records as pytrees: their structures tell classes and static fields apart, and they are put together again."""

from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metalens.optics import Annulus, Cubic, Hyperbolic, Kinoform, Polygon, Quadratic, Sum
from metalens.optics.pytree import register_dataclass

ROOT = Path(__file__).resolve().parents[2]
ALIKE = {
    "two numbers": [Hyperbolic(1.0, 2.0), Quadratic(1.0, 2.0), Cubic(1.0, 2.0)],
    "one leaf": [Annulus(1.0), Polygon(np.eye(3, 2))],
    "inside another": [Sum((Hyperbolic(1.0, 2.0),)), Sum((Cubic(1.0, 2.0),))],
}


@pytest.mark.parametrize("name", ALIKE)
def test_classes_of_equally_many_fields_have_different_structures(name):
    """Those of JAX's own dataclasses are equal, and a jitted function may run what it compiled for the other class."""
    for one, other in combinations(ALIKE[name], 2):
        assert len(jax.tree.leaves(one)) == len(jax.tree.leaves(other))
        assert jax.tree.structure(one) != jax.tree.structure(other)


def test_static_fields_are_part_of_the_structure():
    one, same, other = (jax.tree.structure(Kinoform(5e-7, orders)) for orders in ((1,), (1,), (0, 1)))
    assert one == same
    assert hash(one) == hash(same)
    assert one != other


@register_dataclass
@dataclass(frozen=True)
class Record:
    first: object
    second: object
    name: str = field(default="", metadata={"static": True})


def test_a_record_is_put_together_as_it_was_and_its_paths_have_the_names_of_its_fields():
    record = Record(jnp.arange(3.0), {"inside": 2.0}, "static")
    leaves, structure = jax.tree.flatten(record)
    again = jax.tree.unflatten(structure, leaves)
    assert (again.name, again.second) == ("static", {"inside": 2.0})
    np.testing.assert_array_equal(again.first, record.first)
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_flatten_with_path(record)[0]]
    assert paths == [".first", ".second['inside']"]


def test_records_go_through_jit_grad_and_vmap():
    def energy(record):
        return (record.first * record.second).sum()

    record = Record(jnp.arange(3.0), 2.0)
    slope = jax.jit(jax.grad(energy))(record)
    np.testing.assert_array_equal(slope.first, [2.0, 2.0, 2.0])
    assert float(slope.second) == 3.0
    both = jax.vmap(energy)(Record(jnp.ones((2, 3)), jnp.array([1.0, 2.0])))
    np.testing.assert_array_equal(both, [3.0, 6.0])


def test_no_record_is_registered_by_jax_s_own_decorator():
    modules = [path for stage in ("optics", "psf", "synth", "workflows") for path in (ROOT / stage).rglob("*.py")]
    users = [path for path in modules if "register_dataclass" in path.read_text(encoding="utf-8")]
    assert len(users) > 20
    own = ROOT / "optics" / "pytree.py"
    assert [
        path for path in users if path != own and "jax.tree_util.register" in path.read_text(encoding="utf-8")
    ] == []
