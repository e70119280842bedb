"""One fold of a model explained: the maps to show, the sanity check and the pointing game."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cxr import numerics, prepared
from cxr.explaining import likeness, maps, places, pointing, sanity
from cxr.training import models


@dataclass(frozen=True, kw_only=True)
class Task:
    """One fold, as a worker receives it."""

    model: Path
    fold: int
    prepared_folder: Path
    shown: np.ndarray
    """positions of the images whose maps are shown and whose maps must change with the weights"""
    boxes: pd.DataFrame
    """row (position of the image), label (its position), left, top, right, bottom (pixels)"""
    seed: int


@dataclass(frozen=True, kw_only=True)
class Explained:
    """What one fold's network says and where it looks."""

    shown: np.ndarray
    """positions of the N images shown"""
    said_N: np.ndarray
    """label of the highest probability, which the map is of"""
    probabilities_NL: np.ndarray
    maps_Nhw: np.ndarray
    cascade: sanity.Cascade
    another_image: float
    """rank correlation of maps with those of the same label on the next image: what is of no image"""
    plays: pd.DataFrame
    """row, label (positions) and pointing.PLAYERS"""


def explain_fold(task: Task) -> Explained:
    """Explain one fold's network; raise ValueError for one without maps."""
    numerics.exact_torch()
    member = models.load(task.model, task.fold)
    images = prepared.read(task.prepared_folder)
    shown_NHW = images.gather(task.shown)
    probabilities_NL = models.predict_once(member, shown_NHW)
    said_N = probabilities_NL.argmax(axis=1)
    maps_Nhw = maps.explain(member, shown_NHW, said_N)
    turned_Nhw = maps.explain(member, np.roll(shown_NHW, 1, axis=0), said_N)
    return Explained(
        shown=task.shown, said_N=said_N, probabilities_NL=probabilities_NL, maps_Nhw=maps_Nhw,
        cascade=sanity.cascade(member, shown_NHW, said_N, maps_Nhw, seed=task.seed),
        another_image=sanity.mean(likeness.rank_correlation(maps_Nhw, turned_Nhw)),
        plays=_play(member, images, task.boxes),
    )  # fmt: skip


def _play(member: models.Member, images: prepared.Prepared, boxes: pd.DataFrame) -> pd.DataFrame:
    """Play each image and label that has boxes."""
    games = [(key, rows) for key, rows in boxes.groupby(["row", "label"], sort=True)]
    columns = ["row", "label", *pointing.PLAYERS]
    if not games:
        return pd.DataFrame(columns=columns)
    rows_N, labels_N = (np.array([key[i] for key, _ in games], dtype=np.int64) for i in (0, 1))
    maps_Nhw = maps.explain(member, images.gather(rows_N), labels_N)
    found = [
        {"row": row, "label": label, **pointing.play(map_hw, own[places.EDGES].to_numpy(), size_px=images.size_px)}
        for map_hw, ((row, label), own) in zip(maps_Nhw, games, strict=True)
    ]  # fmt: skip
    return pd.DataFrame(found, columns=columns)
