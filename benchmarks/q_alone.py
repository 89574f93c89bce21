"""Is a local Q better than one Q a picture? Q alone is trained anew in a trained adapter, everything else frozen.

    python benchmarks/q_alone.py PAIRS --psf psf.h5 --test TEST --adapter ADAPTER -o runs/q [--steps 150] [--seeds 3]
        [--batch 4] [--crop 96] [--learning-rate 2e-3]

ADAPTER was trained with LoRA and a Q of any form. A, B and the first convolution of the U-Net stay as they are; Q
starts anew in each form, and sees the same crops. TEST are whole frames of photographs that nothing was trained on.
Before the training, and after it for each form and seed, all of them are restored at α = 0.75. Prints the mean PSNR,
and paired differences between the forms. A stopped run goes on when it is started again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from measuring.adapters import parser_of
from torch import nn

from metalens.formats.pairs.reader import Pairs, read_pairs
from metalens.formats.psf.bank import PsfBank
from metalens.formats.psf.bank_file import read_psf_bank
from metalens.restore.adapter.adapter_file import describe_adapter, load_restorer
from metalens.restore.adapter.paths import PathShares
from metalens.restore.adapter.restorer import AdapterConfig, Restorer
from metalens.restore.adapter.svda import OF_WHOLE_FRAMES, Form
from metalens.restore.conditioning.degradation_map import lens_map
from metalens.restore.conditioning.lens_maps import LensMap
from metalens.restore.inference.restoration import decode, latents_of
from metalens.restore.metrics.measures import psnr
from metalens.restore.prior.prior_folder import load_prior
from metalens.restore.training.adapter_training import AdapterTraining
from metalens.restore.training.checkpoint import CHECKPOINT
from metalens.restore.training.config import TrainConfig
from metalens.restore.training.distributed import DistributedProcesses
from metalens.restore.training.loop import LoopSettings, TrainingLoop
from metalens.restore.training.loss import PathLoss
from metalens.restore.training.optimisation import Budget
from metalens.restore.training.pairs import PairSource, TrainingPairs
from metalens.restore.training.sampler import TrainingStream
from metalens.restore.training.validation import Validation

FORMS: tuple[Form, ...] = ("local", "mean", "global")
ALPHA = 0.75


class QTraining(AdapterTraining):
    """The training of an adapter of which only Q changes."""

    def trained_parameters(self) -> dict[str, nn.Parameter]:
        """Q's network and bases."""
        return {name: each for name, each in super().trained_parameters().items() if name.startswith("svda.")}


def main() -> None:
    parser = parser_of(__doc__, crop=96, learning_rate=2e-3)
    parser.add_argument("--adapter", required=True)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    pairs, test, bank = read_pairs(given.pairs), read_pairs(given.test), read_psf_bank(given.psf)
    config = TrainConfig(
        shares=PathShares(0.7, 0.3, 0.0),
        batch=given.batch,
        crop=given.crop,
        precision=given.precision,
        learning_rate=given.learning_rate,
        perceptual="efficientnet",
        validate_every=10**6,
        validation_batches=1,
        validation_pictures=1,
    )
    before = once(given.output / "before.json", lambda: of_test(load_restorer(given.adapter), test, given.pictures))
    print(f"adapter as it is: {np.mean(before):.2f} dB", flush=True)
    found: dict[Form, list[float]] = {}
    for seed in range(given.seeds):
        for form in FORMS:
            name = f"{form}-{seed}"

            def trained_and_measured(form: Form = form, seed: int = seed, name: str = name) -> list[float]:
                restorer = with_new_q(given.adapter, form, seed, bank)
                recipe = replace(config, seed=seed, adapter=restorer.config)
                train_q(restorer, pairs, bank, recipe, given.steps, given.output / name)
                return of_test(restorer, test, given.pictures)

            values = once(given.output / f"{name}.json", trained_and_measured)
            found.setdefault(form, []).extend(values)
            print(f"{form}, seed {seed}: {np.mean(values):.3f} dB", flush=True)
    for one, other in (("local", "mean"), ("local", "global"), ("mean", "global")):
        print(f"{one} − {other}: {paired(found[one], found[other])}")


def with_new_q(adapter: str, form: Form, seed: int, bank: PsfBank) -> Restorer:
    """The adapter with an untrained Q of a form, and everything else frozen."""
    trained = load_restorer(adapter)
    described = describe_adapter(adapter)
    torch.manual_seed(seed)
    prior = load_prior(described["prior"]["name"])
    restorer = Restorer(
        prior,
        replace(AdapterConfig(**described["config"]), form=form),
        trained.camera,
        trained.lens_map,
        trained.quality_metric,
        bank=bank,
    )
    restorer.attention.standardise(torch.from_numpy(trained.lens_map).float())
    known = trained.parameters()
    with torch.no_grad():
        for name, parameter in restorer.parameters().items():
            if not name.startswith("svda."):
                parameter.copy_(known[name])
                parameter.requires_grad_(False)
    return restorer


def train_q(restorer: Restorer, pairs: Pairs, bank: PsfBank, config: TrainConfig, steps: int, output: Path) -> None:
    """Train Q for so many steps."""
    output.mkdir(exist_ok=True)
    lens = LensMap(bank.camera.name, lens_map(bank, restorer.config.conditioning), bank if restorer.optics else None)
    data = TrainingPairs(
        [PairSource(pairs, [lens])],
        quality_metric=restorer.quality_metric,
        whole_maps=restorer.config.form in OF_WHOLE_FRAMES,
    )
    workplace, loss = DistributedProcesses("cpu", config.precision), PathLoss(config)
    stream = TrainingStream(data, None, config, multiple=restorer.prior.latent_stride, crops_a_step=config.batch)
    trainee = QTraining(
        restorer,
        stream,
        Validation(restorer, data, loss, config, workplace.autocast),
        loss,
        config=config,
        workplace=workplace,
        output=output,
    )
    loop = TrainingLoop(trainee, Budget(steps=steps), workplace, LoopSettings(output / CHECKPOINT, 50))
    loop.run(resume=True, report=lambda share, figures: None)


def of_test(restorer: Restorer, test: Pairs, pictures: int | None) -> list[float]:
    """PSNR in dB of each test picture."""
    found = []
    for number in range(len(test))[:pictures]:
        clean, captured = test[number][:2]
        found.append(psnr(clean, decode(restorer, latents_of(restorer, captured), ALPHA)))
    return found


def once(path: Path, compute) -> list[float]:  # type: ignore[no-untyped-def]
    """The numbers of a file, or those that are computed and written to it."""
    if not path.is_file():
        path.write_text(json.dumps([float(each) for each in compute()]))
    return list(json.loads(path.read_text()))


def paired(one: Sequence[float], other: Sequence[float]) -> str:
    """Mean difference and its standard error over pictures and seeds."""
    difference = np.subtract(one, other)
    return (
        f"{difference.mean():+.3f} dB ± {difference.std(ddof=1) / np.sqrt(len(difference)):.3f} (n = {len(difference)})"
    )


if __name__ == "__main__":
    main()
