"""Frames of a sequence: in the order of their numbers, steadied where the scene stands still, and gone on with."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from metalens.formats.files.errors import InputError
from metalens.formats.pictures.encoding import encode_light
from metalens.formats.pictures.pictures import write_picture
from metalens.formats.pictures.scene import to_8_bit
from metalens.restore.inference.capture_files import CaptureFile, captures_of
from metalens.restore.inference.capture_run import NOTE
from metalens.restore.inference.frame_sequence import frames_in_order
from metalens.restore.inference.restoration import Latents, latents_of
from metalens.restore.inference.restored_files import RestoreOptions, restore_files
from metalens.restore.inference.steadying import SteadyFrame, steadied, still_places
from metalens.synth.sensor import develop, expose, exposure_for

from ...formats.captures.test_video import write_video

PIXELS = (64, 80)
SHARE = 0.6


def scene(shift: int = 0) -> np.ndarray:
    y, x = np.mgrid[: PIXELS[0], : PIXELS[1]]
    wave = 0.35 + 0.2 * np.sin((x + shift) / 4) * np.cos(y / 6)
    return np.stack([wave, 0.9 * wave, 0.8 * wave], axis=-1).astype(np.float32)


def shot(camera, seed: int, light: np.ndarray) -> np.ndarray:
    """A capture of light with the camera's noise."""
    sensor = camera.sensor
    exposure = exposure_for(sensor)
    return develop(sensor, expose(sensor, light, exposure, np.random.default_rng(seed)).astype(float), exposure)


def test_frames_come_in_the_order_of_their_numbers():
    names = ("clip-10", "clip-9", "clip-100", "b2", "b")
    frames = frames_in_order([CaptureFile(name, lambda sensor: None) for name in names])
    assert [frame.name for frame in frames] == ["b", "b2", "clip-9", "clip-10", "clip-100"]


def test_a_place_stands_still_while_captures_differ_by_noise_alone(camera):
    still = still_places(shot(camera, 0, scene()), shot(camera, 1, scene()), camera.sensor)
    assert still.mean() > 0.95
    part = scene()
    part[:, :40] = scene(shift=6)[:, :40]
    moved = still_places(shot(camera, 0, scene()), shot(camera, 1, part), camera.sensor)
    assert moved[:, :30].mean() < 0.2
    assert moved[:, 50:].mean() > 0.95


def test_what_moves_is_restored_from_its_own_frame_alone(camera):
    def latents(value: float) -> Latents:
        return Latents(torch.full((1, 2, 8, 10), value), torch.full((1, 2, 8, 10), -value), PIXELS)

    sensor = camera.sensor
    same, other = (to_8_bit(encode_light(sensor, light)) for light in (scene(), 0.1 + 0 * scene()))
    drawn = steadied(same, latents(1.0), SteadyFrame(same, latents(2.0)), SHARE, sensor, 8)
    np.testing.assert_allclose(drawn.positive, 1 + SHARE)
    np.testing.assert_allclose(drawn.neutral, -1 - SHARE)
    moved = steadied(same, latents(1.0), SteadyFrame(other, latents(2.0)), SHARE, sensor, 8)
    np.testing.assert_array_equal(moved.positive, latents(1.0).positive)
    with pytest.raises(InputError, match="frames of a sequence have one size"):
        steadied(same, latents(1.0), SteadyFrame(other[:32], latents(2.0)), SHARE, sensor, 8)


@pytest.fixture
def clip(camera, tmp_path):
    """A video of a scene that stands still, with the camera's noise."""
    frames = np.stack([shot(camera, seed, scene()) for seed in range(8)])
    return write_video(tmp_path / "clip.mkv", frames)


@pytest.mark.long
def test_flicker_of_a_still_noisy_scene_falls_by_the_recursive_average(make_restorer, clip, tmp_path):
    restorer = make_restorer()
    plain = restore_files(restorer, captures_of([clip]), tmp_path / "a", RestoreOptions([1], sequence=True))
    steady = restore_files(restorer, captures_of([clip]), tmp_path / "b", RestoreOptions([1], steady=SHARE))
    assert plain.flicker["captured"] == pytest.approx(steady.flicker["captured"])
    assert steady.flicker["1"] < 0.6 * plain.flicker["1"]
    assert [row["steadied"] for row in steady.rows] == [False] + 7 * [True]
    names = sorted(path.name for path in (tmp_path / "b").iterdir())
    assert names == [*(f"clip-{number:06d}-alpha1.png" for number in range(8)), NOTE]


@pytest.mark.long
def test_a_steadied_run_that_was_interrupted_gives_the_same_frames(make_restorer, clip, tmp_path, monkeypatch):
    from metalens.restore.inference import restored_files

    restorer, options = make_restorer(), RestoreOptions([1], steady=SHARE)
    restore_files(restorer, captures_of([clip]), tmp_path / "whole", options)
    calls = []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return latents_of(*arguments)

    monkeypatch.setattr(restored_files, "latents_of", interrupted)
    with pytest.raises(KeyboardInterrupt):
        restore_files(restorer, captures_of([clip]), tmp_path / "parts", options)
    done = restore_files(restorer, captures_of([clip]), tmp_path / "parts", options, resume=True)
    assert len(done.already) == 3
    contents = [{each.name: each.read_bytes() for each in (tmp_path / name).iterdir()} for name in ("whole", "parts")]
    assert contents[0] == contents[1]


def test_latents_and_an_unknown_camera_cannot_be_steadied(make_restorer, clip, tmp_path, monkeypatch):
    from metalens.restore.inference import frame_sequence

    write_picture(tmp_path / "a.png", to_8_bit(scene()))
    restorer = make_restorer()
    restore_files(
        restorer, captures_of([tmp_path / "a.png"]), tmp_path / "o", RestoreOptions([1]), latents=tmp_path / "k"
    )
    with pytest.raises(InputError, match="--frames: kept latents"):
        restore_files(restorer, captures_of([tmp_path / "k"]), tmp_path / "p", RestoreOptions([1], steady=SHARE))
    monkeypatch.setattr(frame_sequence, "is_unknown", lambda camera: True)
    with pytest.raises(InputError, match="the adapter's camera is unknown"):
        restore_files(restorer, captures_of([clip]), tmp_path / "q", RestoreOptions([1], steady=SHARE))
