"""From a file's rows to submissions, and back to a file of the rows that were refused."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Mapping as AnyMapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, BinaryIO, cast

from django.utils import timezone

from feedback import reader
from feedback.contradictions import Repeated, contradictions
from feedback.file_ids import FileIds
from feedback.mapping import CONTACT, EMAIL, PHONE, Mapping
from feedback.models import Door, RefusedRow, Upload
from feedback.reader import Dialect, Row
from feedback.schema import Schema, compile_schema
from feedback.schema.spec import ALIAS, ID_NAMES, TIMESTAMP
from feedback.schema.values import UNSTORABLE
from feedback.submission import Origin, Submission
from feedback.upload_lease import held
from flows.models import Delivery
from portal.access import Actor, visible_to
from portal.spreadsheets import defused


@dataclass(frozen=True, slots=True)
class Plan:
    """How the rows of a file are read: what each column holds, and the lines that contradict each other."""

    schema: Schema
    dialect: Dialect
    rows: int
    mapping: Mapping
    repeated: Repeated
    ids: FileIds
    mended: bool = False  # a file of refused rows comes back: cells that we have defused are as they were

    @classmethod
    def of(cls, file: BinaryIO, upload: Upload) -> Plan:
        """Read the file of an upload that is ours to its end, a few times: that may take minutes.

        UnreadableError where it is refused as a whole. With a mapping it is read as a person has seen and
        confirmed, else its head must name the fields.
        """
        schema = compile_schema(upload.flow)
        if upload.mapping:
            dialect, mapping = dialect_of(upload), Mapping.from_json(upload.mapping)
            rows = sum(1 for _ in held(upload, reader.rows(file, dialect)))
        else:
            found = reader.survey(file)
            dialect, rows = found.dialect, found.rows
            mapping = Mapping(reader.check_columns(found.columns, [*schema.by_name, ALIAS]))
        own = reader.columns(file, dialect)[-2:] == reader.OUR_OWN
        nothing = FileIds(partial(_on_record, upload))
        plan = cls(schema, dialect, rows, mapping, Repeated({}, ()), nothing, mended=own)

        def said() -> Iterator[tuple[int, AnyMapping[str, str]]]:
            return held(upload, plan._feedback(file))

        ids = FileIds.of(said, nothing.on_record)
        repeated = contradictions(lambda: ids.resolved(said()), rows, plan._meant)
        return replace(plan, repeated=repeated, ids=ids)

    def sort_out(self, rows: Iterable[Row]) -> tuple[list[Submission], dict[int, str]]:
        """The submissions that the rows make, indexed by line, and line → error for those that make none."""
        submissions, refused = [], {}
        for row in rows:
            try:
                submissions.append(self._submission(row))
            except ValueError as error:
                refused[row.line] = str(error)
        return self._paired(submissions), refused

    def _paired(self, submissions: list[Submission]) -> list[Submission]:
        """With the lead's id beside an own one that another row of the file pairs with it."""
        if not self.ids.pairs:
            return submissions
        alone = {str(each.payload.get("external_id", "")) for each in submissions}
        taught = self.ids.taught(alone)
        return [
            replace(each, payload={**each.payload, "lead_id": taught[own_id]})
            if "lead_id" not in each.payload and (own_id := each.payload.get("external_id")) in taught
            else each
            for each in submissions
        ]

    def cells(self, row: Row) -> dict[str, str]:
        """What the row says, by target, each cell as it is meant. ValueError where it has too many."""
        named = reader.named_cells(self.mapping.columns, row)
        if self.mended:
            named = {target: as_it_was(text) for target, text in named.items()}
        return {target: self.mapping.cell(target, text) for target, text in named.items()}

    def contact(self, row: Row) -> tuple[str, str]:
        """The e-mail and the phone number that the row names; "" where it has none."""
        named = reader.named_cells(self.mapping.columns, row)
        return named.get(EMAIL, ""), named.get(PHONE, "")

    def named_among(self, file: BinaryIO, ids: AnyMapping[str, int]) -> set[int]:
        """Which of these (id → any number) the file's rows name, by the lead's id or the buyer's own."""
        found: set[int] = set()
        for _, cells in self.ids.resolved(self._feedback(file)):
            found |= {ids[cells[name]] for name in ID_NAMES if cells.get(name) in ids}
        return found

    def _submission(self, row: Row) -> Submission:
        if row.line in self.repeated.wrong:
            raise ValueError(self.repeated.wrong[row.line])
        return Submission(row.line, self._payload(without_contact(self.cells(row))))

    def _payload(self, cells: AnyMapping[str, str]) -> dict[str, Any]:
        said = self.dialect.comma is not None
        return self.schema.from_texts(cells, decimal_comma=self.dialect.decimal_comma, sure=said)

    def _feedback(self, file: BinaryIO) -> Iterator[tuple[int, dict[str, str]]]:
        for row in reader.rows(file, self.dialect):
            with suppress(ValueError):  # a row with too many cells is refused by itself when its turn comes
                yield row.line, self._at_one_time(without_contact(self.cells(row)))

    def _at_one_time(self, cells: dict[str, str]) -> dict[str, str]:
        """With the time of happening in one spelling, where it can be read."""
        for name in (TIMESTAMP, ALIAS):
            if cells.get(name):
                cells[name] = self.schema.moment(cells[name])
        return cells

    def _meant(self, cells: AnyMapping[str, str]) -> AnyMapping[str, str]:
        """The cells as the values that they stand for; as they are where they stand for none."""
        clean = self.schema.validate(self._payload(cells), now=timezone.now())
        if isinstance(clean, tuple):
            return cells
        ids = {name: cells.get(name, "") for name in (*ID_NAMES, TIMESTAMP, ALIAS)}
        return ids | {name: json.dumps(value, sort_keys=True) for name, value in clean.values.items()}


def dialect_of(upload: Upload) -> Dialect:
    """How the file of an upload that has been looked into is read."""
    return Dialect(upload.encoding, upload.delimiter, upload.has_header, upload.decimal_comma)


def _on_record(upload: Upload, own_ids: set[str]) -> dict[str, str]:
    """Own id → the lead's id, of the uploading buyer's leads on the flow. One query."""
    rows = visible_to(origin_of(upload).actor, Delivery.objects.filter(flow=upload.flow_id))
    storable = {own_id for own_id in own_ids if not UNSTORABLE.search(own_id)}
    found = rows.filter(external_id__in=storable).values_list("external_id", "public_id")
    return {str(own_id): lead_id for own_id, lead_id in found}


def as_it_was(cell: str) -> str:
    """A cell of a file of refused rows without the ``'`` that we have put before it."""
    return cell[1:] if cell[:1] == "'" and defused(cell[1:]) == cell else cell


def without_contact(cells: AnyMapping[str, str]) -> dict[str, str]:
    """The cells that are feedback or name the lead by an id."""
    return {target: text for target, text in cells.items() if target not in CONTACT}


def origin_of(upload: Upload, *, dry: bool = False) -> Origin:
    """The buyer, on this flow only, whoever uploaded the file. ``dry``: nothing is to be recorded."""
    actor = Actor(
        "buyer",
        party_id=upload.buyer_id,
        user_id=upload.user_id,
        key_id=upload.api_key_id,
        flow_ids=frozenset({upload.flow_id}),
    )
    live = upload.livemode and not dry
    return Origin(actor, Door.UPLOAD, livemode=live, upload=upload, learns_ids=True)


def refused_file(upload: Upload) -> Iterator[bytes]:
    """A CSV of the refused rows as they stood, with ``line`` and ``error``, a few rows at a time.

    Written with the file's own delimiter, so that it can be mended and uploaded as it is.
    """
    rows = RefusedRow.objects.filter(upload=upload).values_list("cells", "line", "error")
    columns = _columns(upload)
    yield _line([*columns, "line", "error"], upload).encode("utf-8-sig")
    for cells, line, error in rows.iterator(chunk_size=1_000):
        padded = [*cells[: len(columns)], *[""] * (len(columns) - len(cells))]
        yield _line([*padded, line, error], upload).encode()


def _columns(upload: Upload) -> Sequence[str]:
    with upload.file.open("rb") as file:
        return reader.columns(cast(BinaryIO, file), dialect_of(upload))


def _line(cells: Sequence[Any], upload: Upload) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=upload.delimiter).writerow([defused(str(cell)) for cell in cells])
    return text.getvalue()
