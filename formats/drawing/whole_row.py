"""Picture of a row of meta-atoms that was computed whole: its line spread functions."""

from __future__ import annotations

from matplotlib.figure import Figure

from metalens.formats.drawing.style import panels
from metalens.formats.meta_atoms.whole_row import WholeRow


def whole_row_figure(found: WholeRow) -> Figure:
    """A row for each wavelength and polarisation, a column for each field.

    Args:
        found: the row.

    Returns:
        The figure, not yet written.
    """
    fields = sorted({each.field_deg for each in found.functions})
    lights = sorted(
        {(each.wavelength_nm, each.polarisation) for each in found.functions},
        key=lambda each: (each[1] != "s", each[0]),
    )
    figure, axes = panels(0.6 + 1.8 * len(lights), len(lights), len(fields), sharex=True, squeeze=False)
    for each in found.functions:
        axis = axes[lights.index((each.wavelength_nm, each.polarisation))][fields.index(each.field_deg)]
        axis.plot(each.place_um, each.local, color="C0", linewidth=0.9, label="local approximation")
        if each.corrected:
            axis.plot(each.place_um, each.corrected, color="C1", linewidth=0.9, label="corrected by zones")
        axis.plot(each.place_um, each.whole, color="black", linewidth=0.9, linestyle="--", label="whole row")
        axis.set_title(f"{each.wavelength_nm:.4g} nm, {each.field_deg:.3g}°, {each.polarisation}")
    for axis in axes[-1]:
        axis.set_xlabel("place (µm)")
    for axis in axes[:, 0]:
        axis.set_ylabel("light, relative")
    axes[0][0].legend(fontsize=7)
    return figure
