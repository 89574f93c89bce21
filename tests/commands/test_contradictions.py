"""Options that contradict each other: each invocation ends as tests/commands/test_bad_invocations.py says."""

from __future__ import annotations

import pytest

from .bad_invocations import REPORT

LONG = "x" * 5000


TRAIN = "train {pairs} -o OUT --psf {psf} --prior {prior} --crop 32 --steps 1 --quality piqe"


RESTORE = "restore {photographs} -o OUT --psf {psf} --any-lens"


BENCH = "bench -o OUT --psf {psf} --pairs {pairs} --test {others} --steps-per-method 1 --crop 32"


PRETRAIN = "pretrain {photographs} -o OUT --work OUT.w --autoencoder-steps 1 --denoiser-steps 1"


EXPORT = "export {lens} --gds OUT.gds --library si3n4-on-sio2"


CONTRADICTIONS = [
    ("psf {lens} -o OUT.h5 --radii 3 --fields 5x5 --dry-run", "either --fields, a grid, or --radii"),
    ("psf {lens} -o OUT.h5 --wavelengths 250,300 --dry-run", "none lies in the camera's bands"),
    ("psf {lens} -o OUT.h5 --wavelengths 530,530 --dry-run", "named once"),
    ("psf {lens} -o OUT.h5 --wavelengths 0.53,0.6", "--wavelengths"),
    ("psf {lens} -o OUT.h5 --figures OUT.h5 --dry-run", "lies in another output"),
    ("psf {lens} -o OUT.h5 --figures OUT.h5/figures --dry-run", "lies in another output"),
    ("restore {photographs} -o {photographs}/out", "lies in"),
    ("restore {photographs} -o OUT --latents {photographs}/latents", "the next run would take"),
    ("restore {photographs} -o {photographs}/out --method wiener-joint --psf {psf}", "the next run would take"),
    ("data import {photographs} {copies} -o {copies}/pairs", "the next run would take"),
    ("synth {photographs} -o {photographs}/pairs --psf {psf} --dry-run", "the next run would take"),
    ("pseudo {photographs} -o {photographs}/pairs --adapter metacamera", "the next run would take"),
    (PRETRAIN.replace("-o OUT ", "-o {photographs}/prior "), "the next run would take"),
    (PRETRAIN.replace("OUT.w", "{photographs}/work"), "the next run would take"),
    (BENCH.replace("-o OUT", "-o {pairs}/bench"), "the next run would take"),
    (BENCH.replace("-o OUT", "-o {others}/bench"), "the next run would take"),
    ("bench -o {photographs}/bench --lens {lens} --photos {photographs} --steps-per-method 1", "next run would take"),
    ("compare {lens} -o {photographs}/c --photos {photographs} --minutes 0 --dry-run", "the next run would take"),
    ("compare {lens} -o {copies}/c --photos {photographs} --test-photos {copies}", "the next run would take"),
    ("align screens {photographs} -o {photographs}/screens --lens {lens}", "the next run would take"),
    ("data merge {pairs} {others} -o {others} --resume", "is an input itself"),
    ("data merge {pairs} {others} -o {others}/merged", "the next run would take"),
    ("data export {pairs} -o {pairs}/png --to png", "the next run would take"),
    ("data show {pairs} -o {pairs}/sheet.png", "the next run would take"),
    ("train {pairs} -o {pairs}/adapter --psf {psf} --steps 1 --dry-run", "the next run would take"),
    ("train {pairs} -o {others}/adapter --psf {psf} --steps 1 --pseudo {others} --dry-run", "the next run would take"),
    (f"{REPORT} -o {{restored}}/report", "the next run would take"),
    (f"{REPORT} -o {{others}}/report", "the next run would take"),
    ("psf {lens} -o OUT.h5 --wavelengths 450 'a\nmetalens: all is well'", "a\\nmetalens: all is well"),
    ("init lens ..", "'..'"),
    ("init lens ''", "no name was given"),
    (f"init lens {'x' * 200}", "no name"),
    ("init lens 'a\nb'", "no name"),
    ("app no/folder --no-browser", "no/folder"),
    ("app {lens} --no-browser", "lens.toml"),
    ("app . --no-browser --host 256.1.1.1", "cannot listen on 256.1.1.1"),
    ("app . --no-browser --host 'a b'", "cannot listen on"),
    (f"app . --no-browser --host {'x' * 300}", "cannot listen on"),
    ("app . --no-browser --host 192.0.2.1", "cannot listen on 192.0.2.1"),
    ("verify {atoms} -o OUT --fields-deg '' --dry-run", "--fields-deg"),
    (f"verify {{atoms}} -o OUT --fields-deg {','.join(['1'] * 5000)} --dry-run", "--fields-deg"),
    (f"verify {{atoms}} -o OUT --wavelengths-nm {','.join(['540'] * 5000)} --dry-run", "--wavelengths-nm"),
    (
        f"verify {{atoms}} -o OUT --orders-per-pillar {','.join(map(str, range(3, 400)))} --dry-run",
        "--orders-per-pillar",
    ),
    ("verify {lens} -o OUT --dry-run", "meta-atoms"),
    ("verify {atoms} -o OUT --workers 1000000 --dry-run", "--workers"),
    ("explore explore-1mm3 -o OUT --workers 1000000 --dry-run", "--workers"),
    ("compare {lens} -o OUT --photos {photographs} --minutes 1e300 --dry-run", "--minutes"),
    ("compare {lens} -o OUT --photos {photographs} --minutes nan --dry-run", "--minutes"),
    ("compare {lens} -o OUT --photos {photographs} --draws 0 --dry-run", "--draws"),
    ("compare {lens} -o OUT --photos {photographs} --minutes 0 --fields 200x200 --dry-run", "between 1 and 129"),
    ("compare {lens} -o OUT --photos {photographs} --minutes 0 --count 10000000000 --dry-run", "--count"),
    ("doctor --json --json=1", "--json"),
    (f"{RESTORE} --uncertainty --adapter metacamera-200um", "no calibrated uncertainty"),
    (f"{RESTORE} --uncertainty --method wiener-joint", "--uncertainty"),
    (f"{BENCH} --init nowhere", "nowhere"),
    (f"{BENCH} --init metacamera --prior {{prior}}", "another prior"),
    ("psf {lens} {lens} -o OUT.h5", "unexpected extra argument"),
    ("psf '' -o OUT.h5", "is a folder"),
    ("psf {lens} -o ''", "is a folder"),
    ("psf {lens} -o /dev/null", "exists already"),
    ("psf {lens} -o no/../OUT.h5 --dry-run", "its folder no/.. does not exist"),
    ("data merge {pairs} {others} -o no/..", "its folder no does not exist"),
    (f"psf {LONG} -o OUT.h5", "File name too long"),
    (f"psf {{lens}} -o {LONG}", "its name has more than"),
    ("psf fit {psf} -o OUT.toml --lens metacamera --parameters ,", "one or more"),
    ("psf fit {psf} -o OUT.toml --lens metacamera --parameters width_error", "width_error"),
    ("psf fit {photographs}/0.png -o OUT.toml --lens metacamera", "0.png"),
    ("library show si3n4-on-sio2 --angle 33", "has no angle 33°"),
    ("library import --about {about} -o OUT.h5", "give either a table or"),
    ("library import {psf} --about {about} -o OUT.h5", "metalens.atom_table"),
    ("design {design} -o OUT.toml --report OUT.toml", "lies in another output"),
    ("design {design} -o {design}", "exists already"),
    ("tolerance {lens} -o OUT --fields 200x200 --dry-run", "between 1 and 25"),
    (f"{EXPORT} --pitch-nm 1 --dry-run", "sites, 1 nm apart, are more than 32768 a side"),
    (f"{EXPORT} --pitch-nm 39999 --dry-run", "does not fit a lens of 40 µm"),
    (f"{EXPORT} --wavelengths-nm 20000 --dry-run", "lies outside the table"),
    (f"{EXPORT} --grid-nm 101", "--grid-nm"),
    (f"{EXPORT} --label {LONG} --dry-run", "at most 200 ASCII characters"),
    (f"{EXPORT} --atom-layer 2/0 --dry-run", "a layer of their own"),
    (f"{EXPORT} --atom-layer 70000 --dry-run", "up to 65535"),
    (f"{EXPORT} --oasis OUT.gds --dry-run", "two outputs have one name"),
    ("import {sites} -o OUT --like {lens} --library si3n4-on-sio2 --name '' --dry-run", "--name"),
    ("import {sites} -o OUT --like {lens} --library si3n4-on-sio2 --boundary-layer x", "layer"),
    ("sensor calibrate {flats} {flats} --dark {dark}", "is given twice"),
    ("sensor calibrate {dark} --dark {dark}", "is not brighter than the dark frames"),
    ("sensor calibrate {flats} --dark {dark} --bit-depth 4", "more than 4 bits do"),
    ("sensor calibrate {flats}/0.1 --dark {dark}", "1 level of light is too few"),
    ("sensor calibrate {photographs} --dark {photographs}", "expected [y, x]"),
    ("synth {photographs} -o OUT --psf {psf} --psf {psf} --dry-run", "is given twice"),
    ("synth {photographs} -o OUT --psf {psf} --slurm a=b --dry-run", "--backend slurm"),
    ("synth {photographs} -o OUT --psf {psf} --backend slurm --slurm =b --dry-run", "KEY=VALUE"),
    ("synth {photographs} -o OUT --psf {psf} --exposure 2", "--exposure"),
    ("synth {photographs} -o OUT --psf {psf} --validation 1", "--validation"),
    ("synth {lens} -o OUT --psf {psf}", "lens.toml"),
    ("synth embedded:nothing -o OUT --psf {psf}", "embedded:nothing"),
    ("restore embedded:nothing -o OUT", "which has embedded:example"),
    ("synth {photographs} -o OUT --psf-ensemble {pairs}", "metalens.psf"),
    ("data merge {pairs} {pairs}/../pairs -o OUT", "different folders"),
    ("data export {pairs} -o OUT", "Choose from: webdataset, hf, png"),
    ("align target -o OUT.txt", "ends in .png"),
    ("align target -o OUT.png --pixels 65536x65536", "more than any display has"),
    ("align target -o OUT.png --radius 1000", "radius"),
    ("align screens {photographs} -o OUT --lens {lens} --pixels 65536x65536", "more than any display has"),
    ("align {rig} -o OUT --figures OUT", "lies in another output"),
    ("align {rig} -o OUT --figures OUT/figures", "lies in another output"),
    (f"{TRAIN} --config /dev/zero --dry-run", "is a device"),
    (f"{TRAIN} --cuda-graphs", "--cuda-graphs needs --device cuda"),
    (f"{TRAIN} --cuda-graphs --dry-run", "--cuda-graphs needs --device cuda"),
    (f"{TRAIN} --l2-weight 0 --perceptual-weight 0 --dry-run", "nothing is learnt"),
    (f"{TRAIN} --psf {{psf}} --dry-run", "is given twice"),
    (f"{TRAIN} --device meta --dry-run", "--device meta"),
    (f"{TRAIN} --init metacamera --dry-run", "another prior"),
    ("train {pairs} {pairs} -o OUT --psf {psf} --prior {prior} --crop 32 --steps 1 --dry-run", "is given twice"),
    ("train -o OUT --psf {psf} --steps 0 --init metacamera --prior {prior}", "prior embedded"),
    ("pseudo {photographs} -o OUT --adapter metacamera --psf {design}", "design.toml"),
    ("pseudo {pairs} -o OUT --adapter metacamera", "no picture found"),
    (f"{RESTORE} --alpha 0.5 --alpha-map {{photographs}}/0.png", "either --alpha or --alpha-map"),
    (f"{RESTORE} --alpha-map {{photographs}}/0.png", "a map of α is grey"),
    (f"{RESTORE} --alpha 0.75,0.750", "different values"),
    (f"{RESTORE} --alpha 50", "between -1 and 2"),
    (f"{RESTORE} --alpha 1e300", "--alpha 1e+300: expected a number between -1 and 2"),
    (f"{RESTORE} --place 0,1", "does not lie on the sensor"),
    (f"{RESTORE} --tile 1", "--tile 1"),
    ("restore {photographs}/0.png {photographs}/0.png -o OUT --any-lens --psf {psf}", "two captures are named 0"),
    ("restore {pairs} -o OUT", "taken with another lens"),
    (f"{BENCH} --photos {{photographs}}", "either --photos or --pairs"),
    (f"{BENCH} --test-photos {{photographs}}", "either --test-photos or --test"),
    (f"{BENCH} --lens {{lens}}", "either --lens or --psf"),
    (f"{BENCH} --methods wiener-whole,wiener-whole", "is named twice"),
    (f"{BENCH} --chart {{pairs}}", "no chart of edges"),
    (f"{BENCH} --test {{others}}", "two sets are named"),
    (
        "bench -o OUT --lens {lens} --photos {photographs} --test-photos {photographs} --steps-per-method 1",
        "training and of the test",
    ),
    ("bench -o OUT --lens {lens} --photos {lens} --steps-per-method 1", "the photograph cannot be used"),
    ("bench -o OUT --resume --only figures", "holds no benchmark"),
    (f"{PRETRAIN} --denoiser-crop 64 --crop 17", "must be multiples of 2"),
    (f"{PRETRAIN} --denoiser-crop 16 --channels 32,32,32,32,32,32", "for 6 levels"),
    (f"{PRETRAIN} --crop 65536", "at least 65536 pixels"),
]
"""Invocations whose words do not go together, and what the sentence tells."""


@pytest.mark.parametrize(("line", "word"), CONTRADICTIONS, ids=[line[:80] for line, _ in CONTRADICTIONS])
def test_what_contradicts_itself(refused, line: str, word: str) -> None:
    refused(line, word)
