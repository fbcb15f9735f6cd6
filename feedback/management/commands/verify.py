"""``manage.py verify``: do the invariants hold on the data as it stands?"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from feedback.verify import SHOWN, Finding, verify


class Command(BaseCommand):
    help = "Check the invariants on live data; exit 1 and a list when one fails."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON document instead of lines")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = []
        for finding in verify():
            findings.append(finding)
            if not options["json"]:
                self._say(finding)
        if options["json"]:
            self.stdout.write(json.dumps([asdict(finding) for finding in findings], indent=2))
        if any(finding.faults for finding in findings):
            sys.exit(1)

    def _say(self, finding: Finding) -> None:
        """One line, and below it the first of what is wrong."""
        word = self.style.ERROR("FAIL") if finding.faults else self.style.SUCCESS("ok  ")
        waiting = f", {finding.waiting:,} waiting" if finding.waiting else ""
        wrong = f", {len(finding.faults):,} wrong" if finding.faults else ""
        self.stdout.write(
            f"{word} {finding.name}: {finding.checked:,} checked{waiting}{wrong} ({finding.seconds:.2f} s)"
        )
        for fault in finding.faults[:SHOWN]:
            self.stdout.write(f"       {fault}")
        if len(finding.faults) > SHOWN:
            self.stdout.write(f"       … and {len(finding.faults) - SHOWN:,} more")
