"""What all folds together say: tables, figures in numbers, and the sheet of each fold."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cxr import manifest
from cxr.explaining import maps, overlay, places, pointing, sanity
from cxr.explaining.folds import Explained
from cxr.prepared import Prepared

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CHANGED_BELOW = 0.5
"""Maps count as changed if their rank correlation with the trained network's falls below: our own line."""


def likeness(found: Sequence[Explained]) -> pd.DataFrame:
    """Return a row per fold, draw and step of the cascades; an undefined correlation is NaN."""
    return pd.DataFrame(
        {
            "fold": fold, "draw": draw, "step": step, "layer": layer,
            "parameters_share": round(float(own.shares_T[step]), 6),
            "rank_correlation": round(float(own.rank_DT[draw, step]), 6),
            "ssim": round(float(own.ssim_DT[draw, step]), 6),
        }
        for fold, own in enumerate(one.cascade for one in found)
        for draw in range(len(own.rank_DT))
        for step, layer in enumerate(own.layers)
    )  # fmt: skip


def plays(found: Sequence[Explained], index: pd.DataFrame) -> pd.DataFrame:
    """Return a row per fold, image and label that was played; `index` lists the prepared images."""
    names, labels = index["image"].to_numpy(), np.array(manifest.labels(index))
    parts = [
        pd.DataFrame(
            {
                "fold": fold,
                "image": names[one.plays["row"].to_numpy(np.int64)],
                "label": labels[one.plays["label"].to_numpy(np.int64)],
                **{
                    name: one.plays[name].to_numpy(np.float64).round(6) for name in pointing.PLAYERS
                },
            }
        )
        for fold, one in enumerate(found)
    ]
    return pd.concat(parts, ignore_index=True)


def summarise(found: Sequence[Explained], index: pd.DataFrame, *, part: str) -> dict[str, Any]:
    """Return the metrics; `part` is whose boxes were played, `pointing` is None without boxes."""
    cascades = [one.cascade for one in found]
    last = np.concatenate([one.rank_DT[:, -1] for one in cascades])
    everything = _number(sanity.mean(last))
    return {
        "folds": len(found),
        "map_places": sorted(
            {f"{one.maps_Nhw.shape[1]} x {one.maps_Nhw.shape[2]}" for one in found}
        ),
        "sanity": {
            "images": sum(len(one.shown) for one in found),
            "draws": sanity.DRAWS,
            "output_layer": {
                "rank_correlation": _number(
                    sanity.mean(np.concatenate([one.rank_DT[:, 0] for one in cascades]))
                ),
                "ssim": _number(
                    float(np.concatenate([one.ssim_DT[:, 0] for one in cascades]).mean())
                ),
            },
            "all_layers": {
                "rank_correlation": everything,
                "ssim": _number(
                    float(np.concatenate([one.ssim_DT[:, -1] for one in cascades]).mean())
                ),
            },
            "another_image": _number(another_image(found)),
            "changed": everything is not None and everything < CHANGED_BELOW,
        },
        "part": part,
        "pointing": pointing.summarise(plays(found, index)),
    }


def another_image(found: Sequence[Explained]) -> float:
    """Return the rank correlation of maps of one label on different images: the mean of the folds."""
    return sanity.mean(np.array([one.another_image for one in found]))


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 6)


def words(result: Mapping[str, Any]) -> str:
    """Say the result in one line."""
    check, game = result["sanity"], result["pointing"]
    alike = check["all_layers"]["rank_correlation"]
    said = "undefined" if alike is None else f"{alike:.2f}"
    line = f"rank correlation of maps with those of new weights {said}"
    if not check["changed"]:
        line += ": they do NOT show what was learned"
    if game is None:
        return f"{line}; no boxes in {result['part']}, no pointing game"
    return (
        f"{line}; pointing game on {game['plays']} of {result['part']}: {game['accuracy']['value']:.3f} "
        f"({game['accuracy']['low']:.3f} to {game['accuracy']['high']:.3f}), by chance {game['chance']:.3f}, "
        f"the middle {game['centre']:.3f}"
    )


def sheet(model: str, fold: int, one: Explained, images: Prepared, boxes: pd.DataFrame) -> Figure:
    """Draw the maps of a fold's images; `boxes` in pixels, by row (see Task.boxes)."""
    labels_NL, names = manifest.label_array(images.index), manifest.labels(images.index)
    large_NSS = maps.enlarged(one.maps_Nhw, images.size_px)
    shown = []
    for place, (row, said) in enumerate(zip(one.shown.tolist(), one.said_N.tolist(), strict=True)):
        there = " + ".join(np.array(names)[labels_NL[row] == 1].tolist()) or "none"
        own = boxes[boxes["row"] == row]
        shown.append(
            overlay.Shown(
                image_SS=images.gather(np.array([row]))[0],
                map_SS=large_NSS[place],
                boxes_K4=own[places.EDGES].to_numpy(np.float64),
                title=f"{there} | {names[said]} {one.probabilities_NL[place, said]:.2f}",
            )
        )
    return overlay.sheet(
        shown, title=f"{model}, fold {fold}: what is there | what the network says, and where from"
    )
