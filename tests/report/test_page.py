"""The committed report in a real browser: it asks for nothing, fits a phone, and is sound to those who can't see it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import browser
from tests.house import source

pytestmark = pytest.mark.slow
REPORT = source.ROOT / "reports/index.html"
LARGEST_BYTES = 3_000_000
_SERIOUS = """axe.run(document, {resultTypes: ['violations']}).then(found => found.violations
  .filter(one => ['serious', 'critical'].includes(one.impact))
  .map(one => one.id + ': ' + one.nodes.slice(0, 3).map(node => node.html.slice(0, 120)).join(' | ')))"""


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1440])
def test_it_opens_offline_and_fits_the_window(width: int, dark: bool) -> None:
    with browser.page() as page:
        page.look(width, 900, dark=dark)
        page.open(REPORT.as_uri())
        assert page.requests == [REPORT.as_uri()] and page.complaints == []
        assert page.run("document.documentElement.scrollWidth <= window.innerWidth")
        assert page.run("[...document.images].every(image => image.complete && image.naturalWidth)")
        assert page.run("[...document.images].every(image => image.alt)")


def test_it_stays_small() -> None:
    assert REPORT.stat().st_size <= LARGEST_BYTES


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing_serious(dark: bool) -> None:
    script = Path(os.environ.get("CXR_AXE", ""))
    if not script.is_file():
        pytest.skip("NOT TESTED: CXR_AXE names no axe.min.js (npm install axe-core)")
    with browser.page() as page:
        page.look(1440, 900, dark=dark)
        page.open(REPORT.as_uri())
        page.run(f"{script.read_text(encoding='utf-8')}; true")
        assert page.run(_SERIOUS) == []
