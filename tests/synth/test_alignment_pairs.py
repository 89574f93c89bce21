"""From a folder of captures to pairs, by simulated rigs whose truth is known."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from metalens.formats.camera.camera import Camera, read_camera
from metalens.formats.captures.screen_captures import AlignmentSet, read_alignment_set
from metalens.formats.files.errors import InputError
from metalens.formats.pairs.reader import read_pairs
from metalens.formats.pictures.pictures import read_picture, write_picture
from metalens.formats.pictures.scene import srgb_to_linear
from metalens.synth.alignment import (
    DotTarget,
    RigCalibration,
    SimulatedRig,
    align_captures,
    calibrate_rig,
    simulated_rig,
)
from metalens.synth.alignment.captured_pairs import check_capture, make_pair
from metalens.synth.alignment.checks import find_motion
from metalens.synth.alignment.dots import find_dots
from metalens.synth.alignment.frames import frame_reader
from metalens.synth.alignment.labelling import label_dots
from metalens.synth.alignment.mapping import sensor_residual
from metalens.synth.alignment.model_choice import choose_mapping
from metalens.synth.alignment.rehearsal import rehearse
from metalens.synth.alignment.warp import grid_of
from metalens.synth.photographs import Photograph

TARGET = DotTarget((480, 480), 40, 8)


def camera_of(pixels: tuple[int, int] = (160, 160)) -> Camera:
    preset = read_camera("metacamera")
    return preset.model_copy(update={"sensor": preset.sensor.model_copy(update={"pixels": pixels})})


def scene(seed: int, pixels: tuple[int, int] = (480, 480)) -> np.ndarray:
    """Something with the spectrum of photographs, uint8."""
    generator = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(pixels[0])[:, None], np.fft.rfftfreq(pixels[1])) + 1 / 300
    picture = np.fft.irfft2(np.fft.rfft2(generator.standard_normal((3, *pixels))) / frequency, s=pixels)
    picture = 0.6 * picture.mean(axis=0) + 0.4 * picture
    return np.clip(128 + 48 * np.moveaxis(picture / picture.std(), 0, -1), 0, 255).astype(np.uint8)


RIG = replace(simulated_rig(camera_of().sensor, np.random.default_rng(3), display=(480, 480), jitter=3.0, turn=0.05))


@pytest.fixture(scope="module")
def captured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The captures of three pictures by a rig without coma."""
    place = tmp_path_factory.mktemp("rig")
    pictures = []
    for number in range(3):
        path = place / f"scene-{number}.png"
        write_picture(path, scene(number))
        pictures.append(Photograph(path.stem, path, licence="CC0", credit="nobody"))
    rehearse(place / "rig", RIG, camera_of(), TARGET, pictures, np.random.default_rng(0), frames=2)
    return place / "rig"


@pytest.fixture(scope="module")
def listed(captured: Path) -> AlignmentSet:
    return read_alignment_set(captured / "captures.toml")


@pytest.fixture(scope="module")
def rig(listed: AlignmentSet) -> RigCalibration:
    return calibrate_rig(listed)


def true_error(found: RigCalibration, truth: SimulatedRig) -> np.ndarray:
    """Distance in pixels of the sensor between where a pixel looks and where it is said to, over the region."""
    place = grid_of(found.region, 15).reshape(-1, 2)
    return np.linalg.norm(sensor_residual(found.mapping, place, truth.display_of(place)), axis=1)


@pytest.mark.long
def test_a_rig_is_calibrated_to_a_fiftieth_of_a_pixel(rig: RigCalibration) -> None:
    error = true_error(rig, RIG)
    assert error.mean() < 0.02
    assert error.max() < 0.1
    figures = rig.figures()
    assert figures["residual_px"]["mean"] < 0.05
    assert figures["dots"] > 100
    assert figures["lateral_colour_px"]["red"]["mean"] < 0.05
    assert not figures["mirrored"]


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.long)])
@pytest.mark.parametrize(("coma", "most"), [(0.0, 0.2), (1.2, 0.7)])
def test_dots_of_one_noisy_frame_are_enough(seed: int, coma: float, most: float) -> None:
    """Corner jitter, turn, vignetting, distortion, haze, noise: 0.2 px in the mean, and 0.7 px with coma."""
    generator = np.random.default_rng(seed)
    turn = float(generator.uniform(-np.pi, np.pi))
    truth = replace(simulated_rig(camera_of().sensor, generator, display=(480, 480), jitter=4.0, turn=turn), coma=coma)
    sensor = truth.sensor
    light = truth.image(TARGET.picture())[..., 1]
    signal = 4000 * light
    image = (generator.poisson(signal) + sensor.read_noise_e * generator.standard_normal(light.shape)) / 4000
    found = find_dots(image / (1 - 0.35 * 0.5), name="dots")
    labelled = label_dots(found, TARGET, name="dots")
    place = found.position[labelled.index]
    chosen = choose_mapping(place, TARGET.positions(labelled.label), shape=sensor.pixels, name="dots")
    error = np.linalg.norm(sensor_residual(chosen.mapping, place, truth.display_of(place)), axis=1)
    assert error.mean() < most
    assert np.linalg.norm(chosen.residual, axis=1).mean() < 0.1


def test_the_display_is_recovered(rig: RigCalibration) -> None:
    np.testing.assert_allclose(rig.display.gamma, 2.2, atol=0.03)
    np.testing.assert_allclose(rig.display.black, 0.004, atol=0.002)
    np.testing.assert_allclose(rig.display.colour, np.array(RIG.colour), atol=0.01)


def test_the_clean_picture_is_the_light_that_a_perfect_lens_would_have_brought(rig: RigCalibration) -> None:
    perfect = replace(RIG, blur=(0.01, 0.01), haze=0.0)
    picture = scene(0)
    expected = perfect.image(picture)[rig.part] / perfect.image(np.full_like(picture, 255))[rig.part]
    # White, divided by itself, is the clean picture without vignetting; flats by other lights leave 1 %.
    np.testing.assert_allclose(rig.clean(picture), expected, atol=0.04)
    assert np.sqrt(((rig.clean(picture) - expected) ** 2).mean()) < 0.006


def test_captures_become_pairs_that_lie_on_each_other(
    listed: AlignmentSet, rig: RigCalibration, tmp_path: Path
) -> None:
    told: list[tuple[int, int]] = []
    report = align_captures(
        listed, rig, tmp_path / "pairs", shard_size=2, progress=lambda done, total: told.append((done, total))
    )
    assert (len(report.usable), report.skipped, report.made) == (3, (), 3)
    assert told[-1] == (6, 6)
    pairs = read_pairs(tmp_path / "pairs")
    manifest = pairs.manifest
    assert (manifest.kind, manifest.pixels, len(pairs)) == ("captured", rig.region[2:], 3)
    assert manifest.cameras[0].lens_hash == camera_of().hash
    assert manifest.cameras[0].sensor == (160, 160)
    assert {source.licence for source in manifest.sources} == {"CC0"}
    assert sorted(source.split for source in manifest.sources) == ["train", "train", "validation"]
    assert manifest.config["calibration"]["dots"] == len(rig.dots)
    for number in range(3):
        sample = pairs.sample(number)
        assert sample.position == rig.region[:2]
        clean, captured = (srgb_to_linear(each)[..., 1] for each in (sample.clean, sample.degraded))
        found = find_motion(clean, captured, 2.0)
        assert np.abs(found.affine).max() < 0.1
        assert captured.mean() == pytest.approx(clean.mean(), rel=0.03)
    pairs.close()


def test_a_resumed_folder_is_byte_identical(listed: AlignmentSet, rig: RigCalibration, tmp_path: Path) -> None:
    align_captures(listed, rig, tmp_path / "whole", shard_size=2)
    shutil.copytree(tmp_path / "whole", tmp_path / "torn")
    (tmp_path / "torn" / "shard-00001.json").unlink()
    report = align_captures(listed, rig, tmp_path / "torn", shard_size=2, resume=True)
    assert report.made == 1
    for path in (tmp_path / "whole").iterdir():
        assert path.read_bytes() == (tmp_path / "torn" / path.name).read_bytes()


def test_vignetting_goes_where_it_is_asked_to_go(listed: AlignmentSet, rig: RigCalibration) -> None:
    capture = listed.captures[0]
    made = {}
    for name in ("clean", "removed", "captured"):
        chosen = listed.model_copy(update={"vignetting": name})
        clean, light = make_pair(chosen, rig, capture)
        made[name] = srgb_to_linear(clean)[..., 1], srgb_to_linear(light)[..., 1]
    flat = rig.flat[rig.part][..., 1]
    np.testing.assert_allclose(made["clean"][0], made["captured"][0] * flat, atol=0.01)
    np.testing.assert_array_equal(made["clean"][1], made["captured"][1])
    np.testing.assert_array_equal(made["removed"][0], made["captured"][0])
    below = made["removed"][1] < 0.95
    np.testing.assert_allclose((made["removed"][1] * flat)[below], made["captured"][1][below], atol=0.012)


def refused(listed: AlignmentSet, rig: RigCalibration, frames: np.ndarray, message: str, picture: int = 0) -> None:
    """Checking these frames in place of a capture ends with a sentence that names the file."""
    folder = listed.path("capture")
    np.save(folder / "bad.npy", frames)
    capture = listed.captures[picture].model_copy(update={"file": "capture/bad.npy"})
    with pytest.raises(InputError, match=rf"bad\.npy: {message}"):
        check_capture(listed, rig, capture)


def test_captures_that_cannot_be_used_are_refused_with_file_and_figure(
    listed: AlignmentSet, rig: RigCalibration
) -> None:
    generator = np.random.default_rng(1)
    picture = read_picture(listed.path(listed.captures[0].picture))

    def shot(other: SimulatedRig, shown: np.ndarray = picture) -> np.ndarray:
        return other.capture(shown, generator)

    good = shot(RIG)
    folder = listed.path("capture")
    np.save(folder / "good.npy", good)
    fine = check_capture(listed, rig, listed.captures[0].model_copy(update={"file": "capture/good.npy"}))
    assert fine.moved_px < 0.15
    assert 0.85 < fine.sharpness < 1.15
    assert fine.brightness == pytest.approx(1, abs=0.02)
    assert fine.photometric_rms < 0.02

    burnt = good.copy()
    burnt[:, 60:80, 60:80] = 1023
    refused(listed, rig, burnt, r"saturated: 400 of its \d+ samples \(\S+ %\) are at full scale, 1023 DN")
    refused(listed, rig, shot(RIG.after(0.6, 0.5)), r"moved by 0\.[67]\d px against the calibration, at most 0\.5")
    refused(listed, rig, shot(RIG.after(-6, 9)), r"moved by 1[01]\.\d+ px against the calibration")
    refused(listed, rig, shot(replace(RIG, blur=(2.6, 3.0))), r"unsharp: it has 0\.\d\d of the contrast")
    refused(listed, rig, shot(RIG, scene(7)), r"does not show display/photograph-00001.png: .* correlate by")
    dim = np.clip(16 + 0.5 * (good.astype(float) - 16), 0, 1023).astype(np.uint16)
    refused(listed, rig, dim, r"has 0\.50 of the light")
    refused(listed, rig, good[:, :100], r"its frames are 100 × 160, the sensor of lens.toml has 160 × 160")


def test_a_picture_without_detail_cannot_tell(listed: AlignmentSet, rig: RigCalibration) -> None:
    grey = np.full((480, 480, 3), 128, dtype=np.uint8)
    write_picture(listed.path("display") / "grey.png", grey)
    np.save(listed.path("capture") / "grey.npy", RIG.capture(grey, np.random.default_rng(2)))
    capture = listed.captures[0].model_copy(update={"file": "capture/grey.npy", "picture": "display/grey.png"})
    with pytest.raises(InputError, match=r"grey.npy: display/grey.png has too little detail to tell whether"):
        check_capture(listed, rig, capture)


def test_a_picture_of_another_size_is_refused(listed: AlignmentSet, rig: RigCalibration) -> None:
    write_picture(listed.path("display") / "small.png", scene(0, (240, 240)))
    capture = listed.captures[0].model_copy(update={"picture": "display/small.png"})
    with pytest.raises(InputError, match=r"small.png: 240 × 240 pixels, the display has 480 × 480"):
        check_capture(listed, rig, capture)


def test_what_cannot_be_used_is_skipped_or_with_strict_refused(
    listed: AlignmentSet, rig: RigCalibration, tmp_path: Path
) -> None:
    swapped = listed.captures[0].model_copy(update={"picture": listed.captures[1].picture})
    mixed = listed.model_copy(update={"captures": (listed.captures[2], swapped)})
    mixed._origin = listed._origin
    report = align_captures(mixed, rig, tmp_path / "pairs")
    assert [each.name for each in report.skipped] == ["capture/photograph-00001.npy"]
    assert len(read_pairs(tmp_path / "pairs")) == 1
    with pytest.raises(InputError, match=r"photograph-00001\.npy"):
        align_captures(mixed, rig, tmp_path / "strict", strict=True)
    assert not (tmp_path / "strict").exists()
    none = listed.model_copy(update={"captures": (swapped,)})
    none._origin = listed._origin
    with pytest.raises(InputError, match="the capture cannot be used: "):
        align_captures(none, rig, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_left_aligned_numbers_need_their_full_scale_and_change_nothing(captured: Path, tmp_path: Path) -> None:
    shutil.copytree(captured, tmp_path / "rig")
    for path in (tmp_path / "rig" / "capture").glob("*.npy"):
        np.save(path, np.load(path).astype(np.uint16) * 64)
    place = tmp_path / "rig" / "captures.toml"
    with pytest.raises(InputError, match=r"dark\.npy: holds \d+ DN, more than the 1023 .* full_scale_dn = 65472"):
        frame_reader(read_alignment_set(place))
    place.write_text(place.read_text().replace("colour =", "full_scale_dn = 65472\ncolour =", 1))
    found, wanted = (frame_reader(read_alignment_set(rig)) for rig in (place, captured / "captures.toml"))
    name = read_alignment_set(place).captures[0].file
    np.testing.assert_allclose(found.light(name), wanted.light(name), rtol=1e-9, atol=1e-9)


def with_frames(listed: AlignmentSet, name: str, frames: np.ndarray, **update: object) -> AlignmentSet:
    np.save(listed.path("capture") / name, frames)
    changed = listed.model_copy(update=update)
    changed._origin = listed._origin
    return changed


def test_a_calibration_that_cannot_be_is_refused(listed: AlignmentSet) -> None:
    generator = np.random.default_rng(3)
    swapped = listed.model_copy(update={"white": listed.darks[0], "darks": (listed.white,)})
    swapped._origin = listed._origin
    with pytest.raises(InputError, match=r"dark.npy: the white screen's red lies \d+ DN below the dark frames"):
        calibrate_rig(swapped)
    faint = 16 + generator.integers(0, 8, (2, 160, 160))
    with pytest.raises(InputError, match=r"faint.npy: the white screen's red lies \S+ DN above the dark, at least 20"):
        calibrate_rig(with_frames(listed, "faint.npy", faint, white="capture/faint.npy"))
    full = np.full((1, 160, 160), 1023)
    with pytest.raises(InputError, match=r"full.npy: saturated: 25600 of its 25600 samples \(1e\+02 %\)"):
        calibrate_rig(with_frames(listed, "full.npy", full, white="capture/full.npy"))
    with pytest.raises(InputError, match=r"full.npy: 1e\+02 % of its samples are at full scale; dark frames"):
        calibrate_rig(with_frames(listed, "full.npy", full, darks=("capture/full.npy",)))
    with pytest.raises(InputError, match=r"white.npy: \d+ dots were found|white.npy: the three larger dots"):
        calibrate_rig(with_frames(listed, "x.npy", full, dots=listed.white))


def test_a_region_of_ones_own_has_to_lie_among_the_dots(listed: AlignmentSet, rig: RigCalibration) -> None:
    def asking(*region: int) -> AlignmentSet:
        chosen = listed.model_copy(update={"region": region})
        chosen._origin = listed._origin
        return chosen

    assert calibrate_rig(asking(40, 50, 64, 72)).region == (40, 50, 64, 72)
    with pytest.raises(InputError, match=r"region \[100, 100, 100, 40\] reaches beyond the sensor's 160 × 160"):
        calibrate_rig(asking(100, 100, 100, 40))
    with pytest.raises(InputError, match=r"region \[0, 0, 160, 160\]: \S+ % of it lies outside of the dots"):
        calibrate_rig(asking(0, 0, 160, 160))


def test_planes_of_colour_make_the_same_map_as_a_mosaic(
    listed: AlignmentSet, rig: RigCalibration, tmp_path: Path
) -> None:
    folder = tmp_path / "rgb"
    shutil.copytree(listed.path("."), folder)
    for path in (folder / "capture").iterdir():
        # Every pixel of a colour takes its neighbours' light: a poor way to fill a mosaic, but three planes.
        frames = np.load(path).astype(np.float64)
        planes = [frames.copy() for _ in range(3)]
        for plane, (y, x) in zip(planes, ((0, 0), (0, 1), (1, 1)), strict=True):
            plane[:] = np.repeat(np.repeat(frames[:, y::2, x::2], 2, axis=1), 2, axis=2)
        np.save(path, np.stack(planes, axis=-1).astype(np.uint16))
    text = (folder / "captures.toml").read_text().replace('colour = "bayer"', 'colour = "rgb"')
    (folder / "captures.toml").write_text(text)
    found = calibrate_rig(read_alignment_set(folder / "captures.toml"))
    np.testing.assert_allclose(found.display.gamma, 2.2, atol=0.03)
    # The green of a cell of four lies at its upper right, and is shown half a pixel down and left of that.
    place = grid_of(rig.region, 9)
    shift = np.median(found.mapping.inverse(RIG.display_of(place)) - place, axis=(0, 1))
    np.testing.assert_allclose(shift, [0.5, -0.5], atol=0.1)
