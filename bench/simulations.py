"""Whether rules' evidence is what it is said to be. ``python -m bench.simulations``; part of ``make bench``.

Three tables, each row against a named limit: how often evidence fires on sources that are exactly at their
threshold when it is looked at after every feedback; how soon it finds sources that are worse; and how far a
conversion rate is off while a source grows and conversions come late. Seeds are fixed, so a run repeats.
``--seeds 5`` takes the first table from five times as many sources: near its limit one run's share may lie on
either side by chance, as the interval beside it says.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from bench.chance import (
    FEEDBACKS,
    SOURCES,
    Falsely,
    Found,
    false_rates,
    false_scores,
    found_rates,
    found_scores,
    pooled,
)
from bench.lateness import GROWTH, RATE, Bias, growing_source

MOST_FALSE, MOST_TIMES_FIXED, NOISE = 0.05, 1.3, 3.0
FEW = 10  # a fixed sample of so few is no size for a z-test, so nothing to be held against
EVENLY = ("evenly spread", (1, 1, 1, 1, 1))  # how scores are spread when their mean is 3
EXTREMES = ("1s and 5s", (3, 1, 1, 1, 3))
MIDDLING = ("middling", (1, 2, 3, 2, 1))
FALSELY = (
    partial(false_rates, 0.2, "above"),
    partial(false_rates, 0.2, "below"),
    partial(false_rates, 0.05, "above"),
    partial(false_scores, *EVENLY),
    partial(false_scores, *EXTREMES),
)
FOUND = (
    *(partial(found_rates, 0.2, "above", rate) for rate in (0.24, 0.3, 0.4)),
    *(partial(found_rates, 0.05, "above", rate) for rate in (0.06, 0.075, 0.1)),
    *(partial(found_rates, 0.2, "below", rate) for rate in (0.16, 0.1)),
    *(partial(found_scores, *EVENLY, mean) for mean in (2.7, 2.4, 1.5)),
    *(partial(found_scores, *MIDDLING, mean) for mean in (2.7, 2.4, 1.5)),
)


def run(seeds: int = 1) -> bool:
    """Simulate on two cores, and print the tables; whether every limit was kept."""
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        falsely = [[pool.submit(each, seed=seed) for seed in range(seeds)] for each in FALSELY]
        found = [pool.submit(each) for each in FOUND]
        biases = pool.submit(growing_source)
        kept = [
            print_falsely([pooled([each.result() for each in of_row]) for of_row in falsely]),
            print_found([each.result() for each in found]),
            print_biases(biases.result()),
        ]
    return all(kept)


def print_falsely(rows: Sequence[Falsely]) -> bool:
    sources = rows[0].sources
    print(
        f"\nFired falsely, of {sources:,} sources at their threshold, at any of {FEEDBACKS:,} looks at each"
    )
    _head("bare number", "5 % z-test", "confident", "95 % interval")
    limit = f"≤ {MOST_FALSE * 100:g} %"
    held = [_row(each.name, each.confident <= MOST_FALSE, limit, *_shares(each)) for each in rows]
    return all(held)


def _shares(each: Falsely) -> tuple[str, ...]:
    low, high = each.interval
    shares = (f"{share * 100:.1f} %" for share in (each.bare, each.z_test, each.confident))
    return *shares, f"{low * 100:.1f}–{high * 100:.1f} %"


def print_found(rows: Sequence[Found]) -> bool:
    print(f"\nFound what is worse: after how many feedbacks half of {SOURCES:,} sources")
    _head("fixed sample", "confident", "ratio")
    held = [_found(each) for each in rows]
    return all(held)


def _found(each: Found) -> bool:
    few = each.fixed <= FEW
    limit = "none: too few for a z-test" if few else f"≤ {MOST_TIMES_FIXED:g}"
    numbers = (f"{each.fixed:,}", f"{each.median:,.0f}", f"{each.ratio:.2f}")
    return _row(each.name, few or each.ratio <= MOST_TIMES_FIXED, limit, *numbers)


def print_biases(rows: Sequence[Bias]) -> bool:
    """The naive rate must be seen to be off, or the simulation would show nothing."""
    print(
        f"\nOff by how much: a source growing {GROWTH - 1:.0%} a day, of whose leads {RATE:.0%} convert late"
    )
    _head("off by", "std. error", "in errors")
    naive, *ours = rows
    held = [_row(naive.name, naive.errors < -NOISE, f"< −{NOISE:g}: it must show", *_bias(naive))]
    held += [_row(each.name, abs(each.errors) <= NOISE, f"within ±{NOISE:g}", *_bias(each)) for each in ours]
    return all(held)


def _bias(each: Bias) -> tuple[str, ...]:
    return f"{each.off * 100:+.2f} pts", f"{each.error * 100:.2f} pts", f"{each.errors:+.1f}"


def _head(*columns: str) -> None:
    print(f"{'':50}" + "".join(f" {column:>13}" for column in columns) + "  limit")


def _row(name: str, holds: bool, limit: str, *numbers: str) -> bool:
    cells = "".join(f" {number:>13}" for number in numbers)
    print(f"{name:50}{cells}  {limit}{'' if holds else '   MISSED'}")
    return holds


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--seeds", type=int, default=1, help="runs of the first table, pooled (default 1)")
    sys.exit(0 if run(asked.parse_args().seeds) else 1)
