"""A running service: answers, statuses of bent files, the schema, and nothing that stays."""

from __future__ import annotations

import base64
import json
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from cxr import answering
from tests import dicom_files
from tests.bad_inputs import images
from tests.bad_inputs.pictures import chest, stored
from tests.serving.exported import STRANGE
from tests.serving.served import PATIENT, Served, form

PNG = stored(chest())


def pixels(address: str) -> np.ndarray:
    """Return the pixels of a data URL."""
    assert address.startswith("data:image/png;base64,")
    content = base64.b64decode(address.partition(",")[2], validate=True)
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)


def test_an_answer_is_the_models_own(service: Served, model: answering.Model) -> None:
    reply = service.predict(PNG)
    found, said = model.answer(model.prepare(PNG, "x")[None]), reply.json()
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    labelled = zip(model.labels, map(float, found.probabilities[0]), strict=True)
    assert said["probabilities"] == dict(labelled)
    assert list(said["probabilities"]) == list(model.labels)
    assert (said["strangeness"], said["refused"]) == (float(found.strangeness[0]), None)
    assert (said["model"], said["version_sha256"]) == (model.name, model.version_sha256)
    assert said["notice"] == "Research use only, not a medical device."
    assert (said["picture"], said["overlays"]) == (None, None)


def test_a_refused_picture_gets_no_probability(service: Served, model: answering.Model) -> None:
    said = service.predict(STRANGE, "?overlay=true").json()
    image_SS = model.prepare(STRANGE, "x")
    assert said["refused"] == model.refusal(image_SS, said["strangeness"])
    assert said["refused"].startswith("unlike the X-rays that the model learned from")
    assert (said["probabilities"], said["overlays"]) == (None, None)
    assert pixels(said["picture"]).shape == (320, 320, 3)


def test_pictures_come_only_when_asked_for(service: Served, model: answering.Model) -> None:
    said = service.predict(PNG, "?overlay=true").json()
    image_SS = model.prepare(PNG, "x")
    maps_LHW = model.answer(image_SS[None]).maps
    assert np.array_equal(pixels(said["picture"])[::10, ::10, 0], image_SS)
    assert list(said["overlays"]) == list(model.labels) and maps_LHW is not None
    for label, map_hw in zip(model.labels, maps_LHW[0], strict=True):
        png = base64.b64encode(answering.overlay(image_SS, map_hw)).decode()
        assert said["overlays"][label] == f"data:image/png;base64,{png}"


@pytest.mark.parametrize("suffix", ["jpeg", "bmp", "tiff", "webp"])
def test_other_formats(service: Served, suffix: str) -> None:
    assert service.predict(stored(chest(), suffix)).status == 200


def test_dicom(service: Served) -> None:
    content = dicom_files.make()
    reply = service.predict(content)
    assert reply.status == 200
    assert not [word for word in dicom_files.SECRETS if word in reply.content.decode()]


@pytest.mark.parametrize(
    "bad", [*images.NOTED, *(x for x in images.HEAVY if not x.slow)], ids=lambda x: x.name
)
def test_bent_files_get_words_and_the_service_lives_on(
    service: Served, bad: Any, tmp_path: Path
) -> None:
    if "noted" not in bad.fate:
        pytest.skip("a whole picture, if a large one: see test_decoding")
    bad.make(tmp_path)
    reply = service.predict((tmp_path / bad.file).read_bytes())
    assert reply.status in (413, 415, 422), reply.content
    assert reply.json()["detail"] and PATIENT not in reply.content.decode()
    assert service.predict(PNG).status == 200


@pytest.mark.parametrize(
    ("ask", "status"),
    [
        (partial(Served.predict, content=PNG + bytes(5 * 2**20)), 413),
        (partial(Served.predict, content=PNG + bytes(100 * 2**20)), 413),
        (partial(Served.predict, content=PNG, query="?overlay=perhaps"), 422),
        (partial(Served.predict, content=PNG, headers={"host": "evil.example"}), 421),
        (partial(Served.predict, content=PNG, headers={"origin": "http://evil.example"}), 403),
        (partial(Served.ask, method="POST", path="/v1/predict", body=PNG), 415),
        (partial(Served.ask, method="GET", path="/v1/predict"), 405),
        (partial(Served.ask, method="GET", path="/../../etc/passwd"), 404),
        (partial(Served.ask, method="GET", path="/docs"), 404),
        (partial(Served.ask, method="GET", path="/redoc"), 404),
    ],
)
def test_statuses(service: Served, ask: Any, status: int) -> None:
    reply = ask(service)
    assert reply.status == status, reply.content
    assert reply.json()["detail"]


def test_chunks_without_a_length_are_counted(service: Served) -> None:
    body, kind = form(PNG + bytes(8 * 2**20))
    pieces = (body[i : i + 65_536] for i in range(0, len(body), 65_536))
    assert service.ask("POST", "/v1/predict", pieces, {"content-type": kind}).status == 413


def test_the_card(service: Served, model: answering.Model) -> None:
    said = service.ask("GET", "/v1/model").json()
    assert said["card"] == json.loads(json.dumps(dict(model.card)))
    assert (said["labels"], said["size_px"]) == (list(model.labels), model.size_px)
    assert (said["phantom"], said["one_label"]) == (model.phantom, model.one_label)
    assert (said["which"], said["threshold"]) == (model.which, model.threshold)


def test_the_schema_tells_the_form_and_every_status(service: Served) -> None:
    schema = service.ask("GET", "/openapi.json").json()
    assert sorted(schema["paths"]) == ["/health", "/metrics", "/v1/model", "/v1/predict"]
    post = schema["paths"]["/v1/predict"]["post"]
    (kind,) = post["requestBody"]["content"]
    assert kind == "multipart/form-data"
    assert post["requestBody"]["content"][kind]["schema"]["required"] == ["image"]
    statuses = {"200", "400", "401", "403", "408", "413", "415", "421", "422", "429", "503", "504"}
    assert set(post["responses"]) == statuses


def test_page_health_and_figures(service: Served) -> None:
    page = service.ask("GET", "/")
    assert (
        page.headers["content-type"].startswith("text/html")
        and b"Research use only" in page.content
    )
    assert service.ask("GET", "/page.js").headers["content-type"].startswith("text/javascript")
    assert service.ask("GET", "/page.css").headers["content-type"].startswith("text/css")
    assert service.ask("GET", "/health").json() == {"status": "up"}
    assert (
        b'cxr_requests_total{route="/health",status="200"}'
        in service.ask("GET", "/metrics").content
    )


def test_nothing_is_stored_and_no_name_is_logged(service: Served) -> None:
    for content in (PNG, PNG + bytes(3 * 2**20), PNG[:-20], b"none"):
        service.predict(content, "?overlay=true")
    temporary = service._log.parent / "temporary"
    assert sorted(temporary.iterdir()) == []
    opened = [file.path for process in service.family() for file in process.open_files()]
    assert sorted({path for path in opened if not path.endswith("/log")}) == []
    lines = service.log().splitlines()
    assert "Jane" not in service.log() and lines
    assert all(line.endswith(" ms") for line in lines), lines
