"""This package beside its rivals, in one table.

    N2SEG_TEST_DATA=FOLDER python benchmarks/rivals/run.py --out DIR [--only denoise prediction ...] [--small]

Every rival has an environment of its own, made from the lists in requirements/. What is measured is a line of
DIR/measurements.jsonl; stopped, the same command goes on, and tries again what did not work. DIR/table.md is written
after each question. --small does everything in its smallest form, to see that it works: its times mean nothing.
"""

import argparse
import importlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rivals import tables
from rivals.environments import Environments
from rivals.measurements import Bench, machine

QUESTIONS = ("labels", "startup", "step", "growth", "prediction", "denoise", "joint")  # the quick ones first


def main(arguments=None):
    """Measure what is missing, and write the table."""
    options = _options(arguments)
    environments = Environments(options.environments or options.out / "environments", not options.no_environments)
    minutes = {"denoise": options.denoise_minutes, "joint": options.joint_minutes}
    bench = Bench(options.out, environments, options.small, options.repeats, minutes)
    for name in options.only:
        if not options.only_table:
            importlib.import_module(f"rivals.{name}").measure(bench)
        write_table(bench)
    print((bench.out / "table.md").read_text())


def write_table(bench):
    """A part for each question of which something is known."""
    about = machine()
    lines = [
        "# Beside the rivals", "",
        f"{about['processor']}, {about['cores']} cores, {about['memory_gb']} GB, {about['system']}. Ratios and times "
        "are medians, with the least and the largest of the repeats.", "",
    ]  # fmt: skip
    if bench.small:
        lines += ["The smallest form, which shows that everything works: its times mean nothing.", ""]
    for name in QUESTIONS:
        records = bench.records(name)
        if records:
            module = importlib.import_module(f"rivals.{name}")
            lines += tables.text(module.TITLE, module.rows(bench), records)
    bench.out.mkdir(parents=True, exist_ok=True)
    (bench.out / "table.md").write_text("\n".join(lines))


def _options(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--only", nargs="+", choices=QUESTIONS, default=QUESTIONS)
    parser.add_argument("--small", action="store_true", help="everything in its smallest form")
    parser.add_argument("--repeats", type=int, metavar="N", help="default 3; 1 with --small")
    parser.add_argument("--environments", type=Path, metavar="DIR", help="where the rivals are, or will be, installed")
    parser.add_argument("--no-environments", action="store_true", help="make none: without what is not installed yet")
    parser.add_argument("--denoise-minutes", type=float, default=20.0, metavar="M", help="of the longest trainings")
    parser.add_argument("--joint-minutes", type=float, default=15.0, metavar="M")
    parser.add_argument("--only-table", action="store_true", help="of what was measured already")
    options = parser.parse_args(arguments)
    options.out = options.out.resolve()
    options.repeats = options.repeats or (1 if options.small else 3)
    return options


if __name__ == "__main__":
    main()
