"""The routes: the page, the model's card, a picture's answer, health and figures.

No route of FastAPI's own pages: Swagger UI loads scripts from the web. /openapi.json describes all.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from fastapi import FastAPI, HTTPException, Query, Request, Response
from pydantic import BaseModel

from cxr import answering
from cxr.serving import uploads
from cxr.serving.batching import Answer, Batcher
from cxr.serving.decoding import Decoders
from cxr.serving.door import PREDICT
from cxr.serving.figures import Figures
from cxr.serving.limits import Busy, House, Limits

NOTICE = "Research use only, not a medical device."
PAGE = Path(__file__).parent
KINDS = {"page.html": "text/html", "page.js": "text/javascript", "page.css": "text/css"}
RETRY_S = "2"
ERRORS = {
    400: "the form is broken or ends early", 401: "no or another token", 403: "another page asks",
    408: "the upload takes too long", 413: "the picture is too large, as a file or decoded",
    415: "no form, or no picture in it", 421: "another Host than ours",
    422: "a picture that can't be read for certain, or a form of another make",
    429: "the client asks too often: see Retry-After",
    503: "too much to do: see Retry-After", 504: "decoding or answering takes too long",
}  # fmt: skip


class Prediction(BaseModel):
    """What the model says of one picture."""

    model: str
    version_sha256: str
    probabilities: dict[str, float] | None
    """Probability of each label, in the model's order; null where the picture is refused."""
    refused: str | None
    """Why the model does not answer; null: it does."""
    strangeness: float
    """How unlike the pictures that the model learned from; larger is stranger."""
    notice: str
    picture: str | None = None
    """With overlay=true: what the model saw, a data URL of a PNG."""
    overlays: dict[str, str] | None = None
    """With overlay=true: by label, what speaks for it, data URLs; null: refused, or a model without maps."""


class ModelCard(BaseModel):
    """Which model answers, and its card."""

    name: str
    labels: list[str]
    size_px: int
    one_label: bool
    """Whether a picture has exactly one of the labels."""
    phantom: bool
    """Whether the model learned from drawn phantoms."""
    which: str
    """Which of the model's networks answer; empty if it has but one."""
    threshold: float
    """Of strangeness: above it a picture is refused."""
    version_sha256: str
    card: dict[str, Any]


class Detail(BaseModel):
    """Why there is no answer."""

    detail: str


@dataclass(frozen=True)
class Desk:
    """What the routes work with."""

    model: answering.Model
    limits: Limits
    decoders: Decoders
    batcher: Batcher
    house: House
    figures: Figures
    demo: bool
    """Whether a model that learned from phantoms may answer."""

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with self.decoders.running(), self.batcher.running():
            yield

    async def answer(self, request: Request) -> tuple[np.ndarray, Answer]:
        """Return the picture uint8 (S, S) that a request carries, and the model's answer."""
        try:
            with self.house.guest() as guest:
                content = await uploads.picture(request, self.limits, guest)
                async with asyncio.timeout(self.limits.answer_s):
                    image_SS = await self.decoders.prepare(content)
                    guest.drop()
                    return image_SS, await self.batcher.submit(image_SS)
        except Busy as error:
            raise HTTPException(503, f"{error}: try again", {"retry-after": RETRY_S}) from None
        except TimeoutError:
            raise HTTPException(504, f"no answer within {self.limits.answer_s:g} s") from None


def desk(folder: Path, model: answering.Model, limits: Limits, *, demo: bool) -> Desk:
    """Return what the routes of one model need."""
    return Desk(
        demo=demo,
        model=model,
        limits=limits,
        decoders=Decoders(folder, model.size_px, limits),
        batcher=Batcher(model.answer, most=limits.batch, wait_s=limits.batch_ms / 1000),
        house=House(limits),
        figures=Figures(),
    )


def create(at: Desk, started: Callable[[], None] = lambda: None) -> FastAPI:
    """Return the application; `started` is called once it is ready."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with at.running():
            started()
            yield

    app = FastAPI(
        title="cxr serve", version="1", summary=NOTICE, lifespan=lifespan,
        docs_url=None, redoc_url=None, swagger_ui_oauth2_redirect_url=None,
    )  # fmt: skip
    _pages(app)
    _questions(app, at)
    _about(app, at)
    return app


def _pages(app: FastAPI) -> None:
    for file, kind in KINDS.items():
        path = "/" if file == "page.html" else f"/{file}"
        content = (PAGE / file).read_bytes()

        def page(content: bytes = content, kind: str = kind) -> Response:
            return Response(content, media_type=kind)

        app.get(path, include_in_schema=False)(page)


def _questions(app: FastAPI, at: Desk) -> None:
    picture = {
        "type": "string",
        "format": "binary",
        "description": "PNG, JPEG, BMP, TIFF, WebP or DICOM",
    }
    form = {"type": "object", "required": [uploads.FIELD], "properties": {uploads.FIELD: picture}}
    body = {"required": True, "content": {"multipart/form-data": {"schema": form}}}

    @app.post(
        PREDICT,
        summary="What the model says of one picture",
        responses={status: {"model": Detail, "description": x} for status, x in ERRORS.items()},
        openapi_extra={"requestBody": body},
    )
    async def predict(
        request: Request, overlay: Annotated[bool, Query(description="send pictures, too")] = False
    ) -> Prediction:
        image_SS, answer = await at.answer(request)
        refused = at.model.refusal(image_SS, answer.strangeness, demo=at.demo)
        labelled = zip(at.model.labels, map(float, answer.probabilities_L), strict=True)
        found = Prediction(
            model=at.model.name,
            version_sha256=at.model.version_sha256,
            probabilities=None if refused else dict(labelled),
            refused=refused,
            strangeness=answer.strangeness,
            notice=at.model.notice,
        )
        if overlay:
            maps_Lhw = None if refused else answer.maps_Lhw
            found.picture, found.overlays = await asyncio.to_thread(
                _drawn, image_SS, maps_Lhw, at.model.labels
            )
        return found


def _drawn(
    image_SS: np.ndarray, maps_Lhw: np.ndarray | None, labels: tuple[str, ...]
) -> tuple[str, dict[str, str] | None]:
    """Return data URLs: of the picture, and of the overlay of each label."""
    picture = _data_url(answering.overlay(image_SS, np.zeros((1, 1), np.float32)))
    if maps_Lhw is None:
        return picture, None
    drawn = {
        label: _data_url(answering.overlay(image_SS, map_hw))
        for label, map_hw in zip(labels, maps_Lhw, strict=True)
    }
    return picture, drawn


def _data_url(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _about(app: FastAPI, at: Desk) -> None:
    @app.get("/v1/model", summary="Which model answers, and its card")
    def card() -> ModelCard:
        model = at.model
        return ModelCard(
            name=model.name, labels=list(model.labels), size_px=model.size_px,
            one_label=model.one_label, phantom=model.phantom,
            which=model.which, threshold=model.threshold,
            version_sha256=model.version_sha256, card=dict(model.card),
        )  # fmt: skip

    @app.get("/health", summary="Is the service up?")
    def health() -> dict[str, str]:
        return {"status": "up"}

    @app.get("/metrics", summary="Counts and times, as Prometheus reads them")
    def metrics() -> Response:
        text = at.figures.text(batches=at.batcher.batches, pictures=at.batcher.pictures)
        return Response(text, media_type="text/plain; version=0.0.4")
