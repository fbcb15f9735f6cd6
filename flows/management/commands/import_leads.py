"""``manage.py import_leads FILE.csv --flow flw_…``: leads in bulk, by the way that single ones take."""

from __future__ import annotations

import contextlib
import csv
import itertools
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from flows.intake import LeadIn, LeadReceipt, take_leads
from flows.lead_files import BadFileError, LeadFile, Row, count_rows
from flows.lead_forms import from_row
from flows.models import Flow

EXTRA = ("refused_line", "refused_reason")  # not read when the mended file comes back
CHUNK = 1000  # leads a transaction
WORDS = {
    "source_paused": "The source is paused.",
    "cap_reached": "The source's daily cap is reached.",
    "suppressed": "The contact or the source is on a suppression list.",
    "duplicate": "The buyer got this contact within 30 days already.",
}


class Command(BaseCommand):
    help = (
        "Take the leads of a CSV file in. Columns: source, buyer, first_name, last_name, email, phone, "
        "price, event_id, external_id, delivered_at; any further column becomes a field of the lead. "
        "Refused rows go to FILE.refused.csv with line and reason; then the exit code is 1."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--flow", required=True, help="The flow's id, flw_…")
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="Do everything and take it back. Meanwhile the file's sources take no other leads.",
        )

    def handle(self, *args: Any, file: Path, flow: str, dry_run: bool, **options: Any) -> None:
        row = Flow.objects.filter(public_id=flow).first()
        if row is None:
            raise CommandError(f"There is no flow {flow}.")
        try:
            counts = self.run(file, row, dry_run=dry_run)
        except (BadFileError, OSError) as error:
            raise CommandError(str(error)) from None
        self.report(counts, file, dry_run=dry_run)
        if refused_of(counts):
            sys.exit(1)

    def run(self, path: Path, flow: Flow, *, dry_run: bool) -> Counter[str]:
        counts: Counter[str] = Counter()
        total = count_rows(path)
        with LeadFile(path) as file, RefusedRows(refused_path(path), file) as refused, kept(not dry_run):
            for chunk in chunks(file.rows()):
                counts += take_chunk(flow, chunk, refused)
                done = sum(counts.values())
                self.stdout.write(f"{done:,} of {total:,} rows, {refused_of(counts):,} refused")
        return counts

    def report(self, counts: Counter[str], path: Path, *, dry_run: bool) -> None:
        style = self.style.WARNING if refused_of(counts) else self.style.SUCCESS
        self.stdout.write(
            style(
                f"{'Dry run, nothing was kept: ' if dry_run else ''}{counts['taken']:,} taken, "
                f"{counts['known']:,} known already, {refused_of(counts):,} refused."
            )
        )
        if refused_of(counts):
            self.stdout.write(f"The refused rows and why: {refused_path(path)}")


class RefusedRows:
    """The file of refused rows, made when there is a first one; a former run's is removed."""

    def __init__(self, path: Path, file: LeadFile) -> None:
        self.path, self.file = path, file
        self.columns = [name for name in file.columns if name not in EXTRA]
        self.stack = contextlib.ExitStack()
        self.writer: Any = None

    def __enter__(self) -> RefusedRows:
        self.path.unlink(missing_ok=True)
        return self

    def __exit__(self, *error: object) -> None:
        self.stack.close()

    def add(self, row: Row, reason: str) -> None:
        """One more row, as it stood, with its line and why; cells beyond the last column are joined to it."""
        if self.writer is None:
            out = self.stack.enter_context(self.path.open("w", encoding="utf-8", newline=""))
            self.writer = csv.writer(out, delimiter=self.file.delimiter)
            self.writer.writerow([*self.columns, *EXTRA])
        cells = [row.by_name.get(name, "") for name in self.columns]
        surplus = row.cells[len(self.file.columns) :]
        cells[-1] = self.file.delimiter.join([cells[-1], *surplus])
        self.writer.writerow([*cells, row.line, reason])


def take_chunk(flow: Flow, rows: list[Row], refused: RefusedRows) -> Counter[str]:
    """Take the rows in; → how many were taken, known or refused."""
    counts: Counter[str] = Counter()
    sound = [row for row in rows if not row.fault]
    receipts = iter(take_leads(flow, [lead_of(row, flow) for row in sound]))
    for row in rows:
        word, reason = ("refused", row.fault) if row.fault else outcome(next(receipts))
        counts[word] += 1
        if word == "refused":
            refused.add(row, reason)
    return counts


def lead_of(row: Row, flow: Flow) -> LeadIn:
    return from_row({name: cell for name, cell in row.by_name.items() if name not in EXTRA}, flow)


def outcome(receipt: LeadReceipt) -> tuple[str, str]:
    """taken, known or refused, and in words why."""
    if receipt.problem:
        return "refused", receipt.problem.as_text()
    if receipt.reason:
        return "refused", WORDS[receipt.reason]
    return ("known" if receipt.replayed else "taken"), ""


def refused_of(counts: Counter[str]) -> int:
    return counts["refused"]


def refused_path(path: Path) -> Path:
    return path.with_suffix(".refused.csv")


def chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    rows = iter(rows)
    while chunk := list(itertools.islice(rows, CHUNK)):
        yield chunk


@contextlib.contextmanager
def kept(keep: bool) -> Iterator[None]:
    """Each chunk by itself; or, to be taken back, all of them in one transaction."""
    if keep:
        yield
        return
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
