"""To another lens: as it is, after some minutes of training from another lens' adapter, and from nothing.

    python benchmarks/transfer.py PAIRS --psf other.h5 --test TEST -o runs/transfer [--init metacamera]
        [--minutes 1,5,15] [--batch 4] [--crop 128] [--precision fp32] [--device cpu] [--pictures 24]

PAIRS and TEST are of the other lens. Every row is a training of its own, whose learning rate ends with its minutes.
A stopped run goes on when it is started again. Prints a table in Markdown for α = 0.75.
"""

from __future__ import annotations

from measuring.adapters import figures_of, options_of, parser_of, setting_of, table, trained


def main() -> None:
    parser = parser_of(__doc__, crop=128)
    parser.add_argument("--init", default="metacamera")
    parser.add_argument("--minutes", default="1,5,15")
    given = parser.parse_args()
    setting = setting_of(given)
    runs = {"zero-shot": figures_of("zero-shot", given.init, setting)}
    common = [given.pairs, *options_of(given)]
    for minutes in given.minutes.split(","):
        for origin, start in ((given.init, ["--init", given.init]), ("nothing", [])):
            name = f"{minutes} min from {origin}"
            adapter = trained(name, [*common, "--minutes", minutes, *start], setting)
            runs[name] = figures_of(name, adapter, setting)
            print(f"{name}: {runs[name]['0.75']['psnr']:.2f} dB", flush=True)
    print(table(runs))


if __name__ == "__main__":
    main()
