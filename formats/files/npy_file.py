"""Arrays in NumPy's NPY format, read guarded."""

from __future__ import annotations

import os
import warnings

import numpy as np

from metalens.formats.files.errors import InputError


def read_npy(path: str | os.PathLike[str]) -> np.ndarray:
    """Map an array onto memory; it is read when it is used.

    Args:
        path: an existing file.

    Returns:
        The array, of any shape and type but objects.

    Raises:
        InputError: it is no such file, damaged, or holds Python's objects.
    """
    try:
        with warnings.catch_warnings():
            # That a header was written by Python 2 makes no difference.
            warnings.simplefilter("ignore")
            # Mapped, a header that declares more than the file holds is refused before memory is asked for.
            found: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(found, np.ndarray):
            raise ValueError("an archive of several arrays")
        return found
    # NumPy evaluates the header as Python's tokens, which fail in many ways on damaged ones.
    except Exception as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path}: not an array in NPY format ({said}); write it with numpy.save.") from error
