"""The plane of perception and distortion: every method has its place, and none takes the others'."""

from __future__ import annotations

from metalens.restore.bench.figures import plane_figure


def row(method, title, psnr, distance, variant=""):
    figures = {"psnr": {"mean": psnr}, "st_lpips": {"mean": distance}}
    return {"method": method, "variant": variant, "label": title, "title": title, "figures": figures}


CAPTURED = row("captured", "captured", 20.0, 0.6)
BEST = row("osediff", "OSEDiff", 24.0, 0.4)


def lines(rows):
    (axes,) = plane_figure(rows).axes
    return {line.get_label(): line for line in axes.lines}


def place(line):
    (x,), (y,) = line.get_data()
    return x, y


def test_every_method_is_marked_at_its_figures_and_differently():
    found = lines([CAPTURED, BEST, row("swinir", "SwinIR", 22.0, 0.5)])
    assert {label: place(line) for label, line in found.items()} == {
        "captured": (20.0, 0.6),
        "OSEDiff": (24.0, 0.4),
        "SwinIR": (22.0, 0.5),
    }
    assert len({(line.get_color(), line.get_marker()) for line in found.values()}) == 3


def test_the_alphas_of_a_method_are_joined_and_its_other_variants_are_not():
    blends = [row("dmdiff-local", "DMDiff", 23.0 + a, 0.5 - a / 10, f"α = {a}") for a in (0, 0.5, 1)]
    found = lines([CAPTURED, row("dmdiff-local", "DMDiff", 25.0, 0.3, "consistent, α = 1"), *blends])
    curve, drawn = found["DMDiff"], found["DMDiff, consistent, α = 1"]
    assert list(curve.get_xdata()) == [23.0, 23.5, 24.0]
    assert curve.get_linestyle() == "-"
    assert place(drawn) == (25.0, 0.3)
    assert (drawn.get_color(), drawn.get_markerfacecolor()) == (curve.get_color(), "white")


def test_what_is_far_worse_than_the_capture_stands_at_the_border_with_its_figures():
    # The best gains 4 dB and 0.2; half of that is shown on the other side of the capture.
    found = lines([CAPTURED, BEST, row("a", "A", 5.0, 0.5), row("b", "B", 21.0, 2.0), row("c", "C", 18.5, 0.65)])
    assert place(found["A\n(outside: 5.0 dB, 0.50)"]) == (18.0, 0.5)
    assert found["A\n(outside: 5.0 dB, 0.50)"].get_marker() == "<"
    assert place(found["B\n(outside: 21.0 dB, 2.00)"]) == (21.0, 0.7)
    assert found["B\n(outside: 21.0 dB, 2.00)"].get_marker() == "^"
    assert place(found["C"]) == (18.5, 0.65)


def test_rows_without_both_figures_are_left_out_and_no_capture_sets_no_border():
    assert set(lines([BEST, row("a", "A", None, 0.5), row("b", "B", 3.0, 0.9)])) == {"OSEDiff", "B"}
    assert lines([]) == {}
