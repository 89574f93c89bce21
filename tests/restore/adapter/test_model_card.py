"""The model card names what users give to commands."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from metalens.formats.camera.camera import read_camera
from metalens.restore.adapter.adapter_file import describe_adapter
from metalens.restore.adapter.model_card import write_model_card, write_transfer_card
from metalens.restore.adapter.restorer import AdapterConfig


def test_lenses_have_the_names_of_their_presets(tmp_path: Path) -> None:
    """The preset ``metacamera-200um`` was called ``metacamera``, and is so within: its hash depends on it."""
    former = read_camera("metacamera-200um")
    described = describe_adapter("metacamera")
    restorer: Any = SimpleNamespace(
        camera=former,
        prior=SimpleNamespace(**described["prior"]),
        config=AdapterConfig(**described["config"]),
        quality_metric=described["quality_metric"],
        training={**described["training"], "block_left_out": False},
    )
    write_model_card(tmp_path, restorer)
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "# Adapter for the camera metacamera-200um\n" in card
    assert f", metacamera-200um `{former.hash[:12]}`." in card

    restorer.training = {"transferred_from": {"adapter": "old", "name": former.name, "lens_hash": former.hash}}
    write_transfer_card(tmp_path, restorer)
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert card.startswith("# Adapter for the camera metacamera-200um,")
    assert "trained for metacamera-200um (lens" in card
