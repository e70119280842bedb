"""A model that answers: pictures prepared as the pipeline prepares them, networks run by onnxruntime.

N is pictures, S their side, L labels, h and w the sides of maps.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cxr.answering import files
from cxr.answering.preparing import Preparation
from cxr.onnx_runtime import onnxruntime

INPUT, OUTPUT, MAPS, STRANGENESS = "images", "probabilities", "maps", "strangeness"
BATCH = 32
"""Pictures that a network is given at a time."""
OF_PHANTOMS = "This model learned from phantoms that code drew, of no patient"


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What a model says of N pictures."""

    probabilities: np.ndarray
    """float32 (N, L)."""
    strangeness: np.ndarray
    """float32 (N,): above the threshold a picture is not to be answered."""
    maps: np.ndarray | None
    """float32 (N, L, h, w): what each place adds to each label's raw score; None: the network can't say."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What is told of one file."""

    file: str
    probabilities: Mapping[str, float] | None
    """by label; None where the file was refused or could not be read"""
    refused: str | None
    """why the model does not answer; None: it does"""
    strangeness: float | None
    model: str
    version_sha256: str
    notice: str
    error: str | None = None
    """why the file could not be read"""

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "file": self.file,
            "probabilities": None if self.probabilities is None else dict(self.probabilities),
            "refused": self.refused,
            "strangeness": self.strangeness,
            "error": self.error,
            "model": self.model,
            "version_sha256": self.version_sha256,
            "notice": self.notice,
        }


class Model:
    """An exported model, its files checked and its networks loaded."""

    def __init__(self, given: files.Files, *, where: str, threads: int) -> None:
        self.name: str = given.about["model"]
        self.labels: tuple[str, ...] = tuple(given.about["labels"])
        self.card: Mapping[str, Any] = given.about["card"]
        self.one_label: bool = given.about["loss"] == "cross_entropy"
        self.phantom: bool = set(self.card["data_sets"]) == {"phantom"}
        self.version_sha256: str = given.version_sha256
        self.threshold = given.threshold
        self.which = given.which
        self.calibrated = "temperatures" in given.about or "temperature" in given.about
        self._preparation = Preparation(given.about, where=where)
        self.size_px = self._preparation.size_px
        self._sessions = [
            self._session(content, f"{where} ({name})", threads)
            for name, content in given.networks.items()
        ]

    @property
    def notice(self) -> str:
        """What stands under every answer."""
        return f"{self.card['notice']} {OF_PHANTOMS}." if self.phantom else str(self.card["notice"])

    @property
    def has_maps(self) -> bool:
        """Whether answers have maps."""
        shapes = [session_shape(session, MAPS) for session in self._sessions]
        return None not in shapes and len(set(shapes)) == 1

    def prepare(self, content: bytes, name: str) -> np.ndarray:
        """Return uint8 (S, S), see `Preparation.prepare`."""
        return self._preparation.prepare(content, name)

    def answer(self, pictures: np.ndarray) -> Answers:
        """Return what the model says of uint8 (N, S, S)."""
        expected = (self.size_px, self.size_px)
        if pictures.dtype != np.uint8 or pictures.shape[1:] != expected or not len(pictures):
            raise ValueError(
                f"pictures are {pictures.dtype} {pictures.shape}, expected at least one as "
                f"uint8 (N, {expected[0]}, {expected[1]}): `prepare` makes them"
            )
        parts = [pictures[at : at + BATCH] for at in range(0, len(pictures), BATCH)]
        found = [self._mean(part[:, None].astype(np.float32)) for part in parts]
        names = [OUTPUT, STRANGENESS, *([MAPS] if self.has_maps else [])]
        whole = {name: np.concatenate([one[name] for one in found]) for name in names}
        return Answers(
            probabilities=whole[OUTPUT], strangeness=whole[STRANGENESS], maps=whole.get(MAPS)
        )

    def refusal(self, picture: np.ndarray, strangeness: float, *, demo: bool = False) -> str | None:
        """Return why a prepared picture (S, S) is not answered, None if it is.

        `demo`: a model of phantoms answers whatever it is given, to show what an answer looks like.
        """
        if self.phantom:
            return None if demo else f"{OF_PHANTOMS}: it answers as a demonstration only (--demo)"
        if picture.min() == picture.max():
            return "the picture is blank: one grey value"
        if not strangeness <= self.threshold:  # so that not-a-number is refused too
            return (
                f"unlike the X-rays that the model learned from (strangeness {strangeness:.2f}, at most "
                f"{self.threshold:g}): no frontal chest X-ray, turned, inverted, or from elsewhere"
            )
        return None

    def _session(self, content: bytes, where: str, threads: int) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3  # errors alone
        try:
            session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # a kind for everything that may be wrong with a file
            words = " ".join(str(error).split())[:200]
            raise ValueError(f"{where} can't be run ({words}): get the model again") from None
        for name, shape in ((OUTPUT, (len(self.labels),)), (STRANGENESS, ())):
            if session_shape(session, name) != shape:
                raise ValueError(
                    f"{where} gives {name} of the shape {session_shape(session, name)}, expected "
                    f"{shape} for a picture: its metadata are another file's, get the model again"
                )
        return session

    def _mean(self, pictures_N1SS: np.ndarray) -> dict[str, np.ndarray]:
        """Return each output's mean over the networks."""
        names = [OUTPUT, STRANGENESS, *([MAPS] if self.has_maps else [])]
        found = [session.run(names, {INPUT: pictures_N1SS}) for session in self._sessions]
        if len(found) == 1:
            return dict(zip(names, found[0], strict=True))
        stacked = (np.stack([one[place] for one in found]) for place in range(len(names)))
        means = (values.mean(axis=0, dtype=np.float64).astype(np.float32) for values in stacked)
        return dict(zip(names, means, strict=True))


def session_shape(session: onnxruntime.InferenceSession, name: str) -> tuple[int, ...] | None:
    """Return the shape of a network's output for one picture, None if it has no such output."""
    for output in session.get_outputs():
        if output.name == name:
            return tuple(output.shape[1:])
    return None


def open_model(path: Path, *, fold: int | None = None, threads: int | None = None) -> Model:
    """Open a folder that export wrote, or one ONNX file of it.

    Of a model whose folds were tested in turn, one network answers: `fold`, by default the first.
    `threads` work at a picture, by default one for each core that this process may use. Raises
    ValueError, naming the file and the cure, if a file is missing, changed, incomplete or no model.
    """
    given = files.read(path, fold=fold)
    return Model(given, where=str(path), threads=threads or len(os.sched_getaffinity(0)))
