"""Specifications of designs small enough for tests."""

SMALL_LENS = "aperture_um = 20.0\nfocal_length_um = 60.0"


def design_text(
    rest: str, *, lens: str = SMALL_LENS, pixels: int = 64, wavelengths_nm: tuple[float, float, float]
) -> str:
    """A ``design.toml`` of a lens in front of square pixels of 1 µm.

    Args:
        rest: the tables beside the camera.
        lens: lines of its ``[camera.lens]``, and tables below it.
        pixels: of the sensor's side.
        wavelengths_nm: of the red, green and blue channel, each of one colour.
    """
    names = zip(("red", "green", "blue"), wavelengths_nm, strict=True)
    channels = [f'  {{ name = "{name}", centre_nm = {centre}, fwhm_nm = 0.0 }},' for name, centre in names]
    return f"""
schema = "metalens.design"
version = 1
name = "small"

[camera.lens]
{lens}

[camera.sensor]
pixels = [{pixels}, {pixels}]
pixel_pitch_um = 1.0
bit_depth = 12
full_well_e = 5000.0
read_noise_e = 3.0

[camera.spectrum]
wavelengths_per_channel = 1
channels = [
{chr(10).join(channels)}
]
{rest}"""
