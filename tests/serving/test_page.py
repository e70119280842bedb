"""The page in a real browser: drop, result, overlay, refusal, faults, token; with mouse, finger and keys.

CXR_SHOTS=<folder> keeps the pictures that were taken, for a person to look at.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests import browser
from tests.bad_inputs.pictures import chest, stored
from tests.serving.exported import STRANGE
from tests.serving.served import Served, served

TOKEN = "a token of thirty characters.."
SIZES = {"phone": (390, 844), "desk": (1440, 900)}


@pytest.fixture(scope="module")
def page() -> Iterator[browser.Page]:
    with browser.page() as found:
        yield found


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    (folder / "Doe^Jane.png").write_bytes(stored(chest()))
    (folder / "cut.png").write_bytes(stored(chest())[:-100])
    (folder / "strange.png").write_bytes(STRANGE)
    (folder / "notes.txt").write_text("no picture")
    return folder


@pytest.fixture(scope="module")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(os.environ.get("CXR_SHOTS") or tmp_path_factory.mktemp("shots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def opened(page: browser.Page, service: Served, size: str = "desk", *, dark: bool = False) -> None:
    page.requests.clear()
    page.complaints.clear()
    page.look(*SIZES[size], dark=dark, touch=size == "phone")
    page.open(service.address)
    page.until("!document.querySelector('#asking').hidden")


def shown(page: browser.Page, selector: str) -> bool:
    return page.run(f"document.querySelector('{selector}').checkVisibility()")


def words(page: browser.Page, selector: str) -> str:
    return page.run(f"document.querySelector('{selector}').innerText")


def source(page: browser.Page) -> str:
    page.until("document.querySelector('#picture').complete")
    return page.run("document.querySelector('#picture').src")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_drop_result_overlay(
    page: browser.Page, service: Served, files: Path, shots: Path, size: str, dark: bool
) -> None:
    opened(page, service, size, dark=dark)
    name = f"{size}-{'dark' if dark else 'light'}"
    page.shot(shots / f"{name}-1-empty.png")
    page.drop("#drop", files / "Doe^Jane.png")
    page.until("!document.querySelector('#result').hidden")
    plain = source(page)
    page.shot(shots / f"{name}-2-result.png")
    said = service.predict(stored(chest()), "?overlay=true").json()
    ranked = sorted(said["probabilities"].items(), key=lambda one: -one[1])
    assert plain == said["picture"]
    rows = page.run(
        "[...document.querySelectorAll('.score')].map((x) => [x.querySelector('.name').innerText,"
        "x.querySelector('.value').innerText, x.querySelector('.bar span').getBoundingClientRect().width /"
        "x.querySelector('.bar').getBoundingClientRect().width])"
    )
    for (label, x), (told, value, width) in zip(ranked, rows, strict=True):
        assert (told, value) == (label.replace("_", " "), f"{100 * x:.1f} %")
        assert width == pytest.approx(x, abs=0.01)
    page.click("#switch")
    assert source(page) == said["overlays"][ranked[0][0]]
    page.click(f"input[value={ranked[1][0]}]")
    assert source(page) == said["overlays"][ranked[1][0]]
    page.shot(shots / f"{name}-3-overlay.png")
    page.click("#switch")
    assert source(page) == plain
    wide, window = page.run("[document.documentElement.scrollWidth, innerWidth]")
    assert wide <= window, "nothing sticks out"
    assert page.complaints == []
    assert {urlsplit(x).netloc for x in page.requests} == {f"127.0.0.1:{service.port}"}


def test_refused_and_unreadable(
    page: browser.Page, service: Served, files: Path, shots: Path
) -> None:
    opened(page, service, "phone")
    page.choose("#file", files / "strange.png")
    page.until("!document.querySelector('#result').hidden")
    assert "Unlike the X-rays" in words(page, "#refusal")
    assert not shown(page, "#scores") and not shown(page, "#switching")
    page.shot(shots / "phone-4-refused.png")
    for file, told in (("cut.png", "The picture is damaged"), ("notes.txt", "The file is no PNG")):
        page.choose("#file", files / file)
        page.until("!document.querySelector('#fault').hidden")
        assert words(page, "#fault").startswith(told) and not shown(page, "#result")
    page.shot(shots / "phone-5-fault.png")
    page.drop("#about", files / "cut.png", files / "notes.txt")
    page.until("document.querySelector('#fault').innerText === 'One picture at a time, please.'")
    assert page.run("location.pathname") == "/", "the browser did not open what was dropped"
    page.choose("#file", files / "Doe^Jane.png")
    page.until("!document.querySelector('#result').hidden")
    assert not shown(page, "#fault") and shown(page, "#scores")


def test_with_keys_and_a_screen_reader(
    page: browser.Page, service: Served, files: Path, shots: Path
) -> None:
    opened(page, service)
    page.press("Tab")
    assert words(page, ":focus") == "To the upload"
    page.press("Tab")
    assert page.run("document.activeElement.id") == "file"
    outline = "getComputedStyle(document.querySelector('#drop')).outlineStyle"
    assert page.run(outline) == "solid", "one sees where one is"
    page.choose("#file", files / "Doe^Jane.png")
    page.until("!document.querySelector('#result').hidden")
    assert page.run("document.activeElement.id") == "result-title"
    plain = source(page)
    page.press("Tab")
    page.press("Space")
    assert page.run("document.activeElement.id") == "switch" and source(page) != plain
    page.press("Tab")
    first = source(page)
    page.press("ArrowDown")
    assert source(page) not in (first, plain)
    page.shot(shots / "desk-6-keys.png")
    chosen = words(page, ".score:has(input:checked) .name")
    told = page.spoken()
    assert ("switch", "Show what speaks for the label") in told
    assert [name for role, name in told if role == "heading"][:2] == [
        "What does the network say of this X-ray?", "Result",
    ]  # fmt: skip
    names = [name for role, name in told if role == "radio"]
    assert len(names) == 3 and all(name.endswith(" %") for name in names)
    assert ("image", f"The X-ray; coloured is what speaks for {chosen}") in told
    assert not [role for role, name in told if role in ("button", "switch", "radio") and not name]


def test_the_token_is_asked_for(
    page: browser.Page, exported: Path, files: Path, tmp_path: Path, shots: Path
) -> None:
    with served(exported, tmp_path, host="0.0.0.0", env={"CXR_SERVE_TOKEN": TOKEN}) as service:
        address = f"http://127.0.0.1:{service.port}/"
        page.look(*SIZES["phone"], touch=True)
        page.open(address)
        page.until("!document.querySelector('#entry').hidden")
        assert not shown(page, "#asking") and not shown(page, "#about")
        page.shot(shots / "phone-7-token.png")
        page.write("another token, long enough")
        page.press("Enter")
        page.until("document.querySelector('#entry').innerText.includes('another token')")
        page.write(TOKEN)
        page.press("Enter")
        page.until("!document.querySelector('#asking').hidden")
        page.drop("#drop", files / "Doe^Jane.png")
        page.until("!document.querySelector('#result').hidden")
        kept = page.run(
            "JSON.stringify([document.cookie, localStorage.length, sessionStorage.length])"
        )
        assert kept == '["",0,0]'
