"""What a strict policy and a reader's trust ask of every template and static file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.template.loader import get_template

ROOT = Path(settings.BASE_DIR)
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
OURS = [path for path in (ROOT / "static").rglob("*.*") if "vendor" not in path.parts]
FORBIDDEN = {
    "inline style": r"\sstyle=",
    "style element": r"<style",
    "inline script": r"<script(?![^>]*\ssrc=)",
    "handler in an attribute": r"\s(on[a-z]+|hx-on[\w:-]*)=",
    "script as an address": r"javascript:",
    "another host": r"(src|href|action|hx-get|hx-post)=[\"'](https?:)?//",
    "unescaped value": r"\|\s*safe\b|autoescape off",
}
HELP_TEXT = re.compile(r"help_text\|safe")  # our own words, as Django's own templates print them


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_template_keeps_within_the_policy(path):
    text = HELP_TEXT.sub("", path.read_text())
    assert [what for what, pattern in FORBIDDEN.items() if re.search(pattern, text)] == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_template_compiles(path):
    get_template(str(path.relative_to(ROOT / "templates")))


def test_stylesheets_and_scripts_fetch_nothing_from_elsewhere():
    for path in OURS:
        if path.suffix in (".css", ".js"):
            assert not re.search(
                r"url\([\"']?(https?:)?//|@import [\"']http|eval\(|new Function", path.read_text()
            ), path


def test_every_vendored_file_has_its_licence_beside_it():
    assert "SIL Open Font License" in (ROOT / "static/fonts/inter-LICENSE.txt").read_text()
    for folder in (ROOT / "static/vendor").iterdir():
        assert (folder / "LICENSE").exists(), folder


def test_static_files_can_be_collected_with_hashes(settings, tmp_path):
    from django.core.management import call_command

    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
    }
    call_command("collectstatic", interactive=False, verbosity=0)
    skin = next(tmp_path.glob("admin-skin.*.css")).read_text()
    assert re.search(r'url\("app\.\w+\.css"\) layer\(house\)', skin)
    assert re.search(r'url\("admin/css/base\.\w+\.css"\) layer\(django\)', skin)
