"""Names of the files that a restoration writes."""

from __future__ import annotations


def restored_name(capture: str, alpha: float, suffix: str = ".png") -> str:
    """File name of a restored picture.

    Args:
        capture: name of the capture.
        alpha: α of the restoration.
        suffix: of its container.

    Returns:
        ``NAME-alpha0.75.png``.
    """
    return f"{capture}-alpha{alpha:g}{suffix}"


def uncertainty_name(restored: str) -> str:
    """File name of the map of the expected error of a restored picture: ``NAME-alpha0.75-uncertainty.png``.

    Whatever the picture's container, the map is a PNG file.
    """
    return f"{restored.rpartition('.')[0]}-uncertainty.png"
