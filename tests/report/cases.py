"""Studies to make pages of, and a reader of what the page says."""

import copy
import io
import json
from html.parser import HTMLParser

import numpy as np
from PIL import Image

from cxr import report, seeding
from cxr.datasets._source import Source
from tests.search import tables

LABELS = ("normal", "effusion")
NETWORK = {
    "family": "cells", "resolution": 100, "stem": 16, "stem_stride": 2, "activation": "relu", "norm": "batch", "down": "stride",
    "stages": [
        {"block": "residual", "width": 24, "depth": 2, "kernel": 5, "se": False},
        {"block": "inverted", "width": 48, "depth": 1, "kernel": 3, "expansion": 4, "se": False},
    ],
    "pool": "gap", "hidden": [],
}  # fmt: skip
RECIPES = {
    "resnet10t": {
        "backbone": "resnet10t", "epochs": 12,
        "weights": {"file": "data/raw/weights/resnet10t.imagenet.safetensors", "sha256": "0"},
    },
    "searched": {
        "backbone": "searched", "backbone_options": {"search": "small", "pick": "evolved"},
        "weights": None, "epochs": 12,
    },
    "random": {
        "backbone": "searched", "backbone_options": {"search": "small", "pick": "random"},
        "weights": None, "epochs": 12,
    },
}  # fmt: skip
SEARCH = {
    "space": {
        "name": "cxr_cells", "stems": [8, 16], "stem_strides": [2],
        "caps": {"parameters": 1_000_000, "macs": 40_000_000, "activation_mb": None},
    },
    "methods": ["evolved", "random"], "score": "auroc", "generations": 3, "image_px": 40,
    "rungs": [{"networks": 4, "samples": 480}, {"networks": 2, "samples": 1440}],
    "finalists": {"networks": 2, "seeds": 3, "samples": 2880}, "baselines": ["largest", "resnet18"],
    "guide": 4,
    "prefilter": None,
}  # fmt: skip
TAUGHT = {"weight": 0.5, "temperature": 2.0}
PRUNE = {
    "criterion": "l1_norm", "encoding": "counts", "multiple": 8, "shares": [0.5, 0.3], "window": 0.97,
    "fitness": "auroc", "worst_label": None, "latency": None, "population": 4, "generations": 3,
    "survivors": None, "contest": {"evolved": 2, "samples": 400}, "recalibration_images": 128, "reconstruct": True,
    "distillation": {"weight": 0.5, "temperature": 2.0},
}  # fmt: skip
FINISH = {"epochs": 8, "distillation": {"weight": 0.5, "temperature": 2.0}}
CUTS = ("pruned_50", "uniform_50", "pruned_30")


def interval(middle, gap=0.02):
    return {"value": middle, "low": middle - gap, "high": middle + gap}


def result(labels=LABELS, *, level=0.8, loss="cross_entropy", folds=1, macs=27_000_000):
    groups = {"images": 40, "accuracy": level, "macro_f1": level, "auroc": None}
    return {
        "model": "m", "backbone": "resnet10t", "labels": list(labels), "loss": loss, "images": 1240,
        "patients": 600, "folds": folds, "confidence": 0.95, "accuracy": interval(level),
        "balanced_accuracy": interval(level), "macro_f1": interval(level),
        "auroc": interval(level + 0.1),
        "per_label": {
            name: {"support": 9, "precision": None, "recall": 0.5, "f1": 0.4, "auroc": interval(0.9)}
            for name in labels
        },
        "per_fold": {str(i): groups for i in range(folds)}, "per_source": {"one": groups},
        "confusion": (np.eye(len(labels), dtype=int) if loss == "cross_entropy" else np.full((len(labels), 2, 2), 7)).tolist(),
        "calibration": {"ece": 0.04, "bins": 15, "brier": 0.3},
        "thresholds": None if loss == "cross_entropy" else {name: [0.3] * folds for name in labels},
        "chance": {"accuracy": 0.45, "auroc": 0.5}, "bootstrap": {"samples": 1000, "left_out": {}},
        "parameters": 399_459, "macs": macs, "weights_bytes": 1_600_000,
    }  # fmt: skip


def png(side=40):
    shape = (side, side * 2, 3)
    pixels = seeding.stream(1, "png").integers(0, 256, shape).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="png")
    return buffer.getvalue()


def model(name, labels=LABELS, figures=("roc", "confusion"), **changes):
    pictures = {key: png() for key in figures}
    row = {"from": 0.6, "to": 0.7, "count": 3, "mean_score": 0.65, "came_true": 0.5}
    return report.Model(
        name=name,
        result=result(labels, **changes),
        figures=pictures,
        reliability=[row],
        subgroups=[],
    )


def study(models=None, **changes):
    """A study of two models trained from scratch, without search and pruning."""
    source = Source(
        title="Toy set", url="https://example.org/toy", citation="Nobody 2020", licence="CC0-1.0",
        redistributable=True, images={}, sha256={}, hint="",
    )  # fmt: skip
    part = {"images": 10, "groups": 5, "labels": {"normal": 4, "effusion": 6}}
    fields = {
        "name": "toy",
        "params": {"study": "toy", "seed": 1, "split": {"folds": 1}},
        "models": models or [model("small"), model("large", level=0.7)],
        "sort_by": "auroc",
        "comparison": png(),
        "differences": [],
        "datasets": [source],
        "split": {"folds": {"fold_0": {"train": part, "test": part}}},
        "validation": {},
        "figures": {"portrait": png(), "split": png()},
        "searches": [],
        "prunings": [],
        "exports": {},
        "explanations": [],
    }
    return report.Study(**{**fields, **changes})


def whole(folds=1, **changes):
    """A study of the whole method: a transferred, two searched, two pruned and a uniform model."""
    levels = {"resnet10t": (0.84, 149e6), "searched": (0.8, 20e6), "random": (0.74, 30e6)}
    cut = {"pruned_50": (0.79, 9.8e6), "uniform_50": (0.76, 9.6e6), "pruned_30": (0.77, 5.9e6)}
    levels |= {f"searched-{name}": found for name, found in cut.items()}
    models = [
        model(name, level=level, folds=folds, macs=int(macs))
        for name, (level, macs) in levels.items()
    ]
    fields = {
        "models": models,
        "params": {
            "study": "toy", "split": {"folds": folds}, "models": list(levels),
            "search": {"runs": ["small"], "recipes": {"small": SEARCH}},
            "transfer": {"runs": ["resnet10t"], "searched": ["searched", "random"], "recipes": RECIPES},
            "prune": {"runs": ["searched"], "recipes": {"searched": PRUNE}},
            "finish": {"cuts": list(CUTS), "recipes": {"searched": FINISH}},
            "export": {"models": ["searched-pruned_50"]},
        },
        "searches": [search(folds)],
        "prunings": [pruning(folds)],
        "exports": {"searched-pruned_50": {"onnx_bytes": 1_234_567, "opset": 18, "folds": folds, "agrees": True}},
    }  # fmt: skip
    return study(**{**fields, **changes})


def control(labels=LABELS, *, value=0.836):
    """What reports/validate/summary.json holds under "control"."""
    label = {"images": 1200, "present": 90, **interval(value)}
    return {
        "images": 1200, "patients": 700, "folds": 5, "resamples": 200, "confidence": 0.95,
        "auroc": interval(value), "borders": 0.819, "files": 0.707,
        "labels": {name: {**label, **interval(value - i / 10)} for i, name in enumerate(labels)},
    }  # fmt: skip


PLOTS = ("front", "progress", "finalists", "winner")


def search(folds=1, name="small", figures=PLOTS, gap=0.1):
    """Three generations, two rungs, each method and fold; evolution is the better one by `gap`."""
    starts = {"evolved": gap, "random": 0.0}
    candidates = [
        {
            "fold": fold, "method": method, "generation": i // 6, "rung": rung, "samples": (480, 1440)[rung],
            "loss": None if i == 6 else 0.5, "auroc": 0.0 if i == 6 else 0.7 + start + i / 100 + fold / 1000,
            "accuracy": 0.6 + i / 100, "macs": (30 - i) * 10**6, "parameters": (20 + i) * 1000,
            "activation_bytes": 1_500_000, "front": int(i in (16, 17)), "picked": int(i == 17),
            "architecture": json.dumps({**NETWORK, "stem": 16 + 8 * i}),
        }
        for fold in range(folds)
        for method, start in starts.items()
        for i in range(18)
        for rung in [int(i % 6 > 3)]
    ]  # fmt: skip
    cost = {"macs": 13_000_000, "parameters": 37_000, "activation_bytes": 1_500_000}
    finals = [
        {
            "fold": fold, "method": method, "network": network, "seed": seed, "samples": 2880, "picked": picked,
            **{f"{part}_{key}": level - down + seed / 100 + fold / 1000
               for part, down in (("search_val", 0.0), ("val", 0.02)) for key in ("auroc", "accuracy")},
            **cost, "macs": macs,
        }
        for fold in range(folds)
        for method, network, level, picked, macs in (
            ("evolved", json.dumps(NETWORK), 0.8 + gap, 1, 13_000_000),
            ("evolved", json.dumps({**NETWORK, "stem": 24}), 0.78 + gap, 0, 14_000_000),
            ("random", json.dumps(NETWORK), 0.8, 1, 13_000_000),
            ("resnet18", "resnet18", 0.85, 1, 340_000_000),
        )
        for seed in range(3)
    ]  # fmt: skip
    each = {"networks": 12, "samples": 14_400, **cost}
    return report.Search(
        name=name,
        metrics={
            "score": "auroc", "networks": 12, "samples": 14_400, "baselines": ["resnet18"],
            "folds": [
                {
                    method: {"auroc": 0.81 + start, "val_auroc": 0.79 + start * (1 + fold / 10),
                             "hypervolume": 0.5 + start * (1 + fold / 10), **each}
                    for method, start in starts.items()
                }
                for fold in range(folds)
            ],
            "correlations": {
                "rung_0": {"tau": 0.6, "low": 0.4, "high": 0.8, "networks": 11.0},
                "macs": {"tau": 0.2, "low": -0.1, "high": 0.5, "networks": 11.0},
                "naswot": {"tau": 0.1, "low": -0.2, "high": 0.4, "networks": 11.0},
                "grad_norm": {"tau": None, "low": None, "high": None, "networks": 11.0},
            },
            "choosers": [],
        },
        candidates=candidates,
        finalists=finals,
        figures={key: png() for key in figures},
    )  # fmt: skip


def grid(folds=1, name="grid"):
    """A grid of 27 networks and what its best two came to."""
    tried = tables.grid(folds)
    ended = tables.finalists(tried, seeds=3, baselines=["resnet18"])
    return report.Search(
        name=name,
        metrics={
            "score": "auroc", "networks": 27, "samples": 27 * 1440, "baselines": ["resnet18"],
            "folds": [{"grid": {"networks": 27, "samples": 27 * 1440, "hypervolume": 0.6}}] * folds,
            "correlations": {}, "choosers": [],
        },
        candidates=rows(tried),
        finalists=rows(ended),
        figures={"front": png(), "finalists": png()},
    )  # fmt: skip


def rows(table):
    """Return a table's rows as the page gets them: unknown values are None."""
    return table.astype(object).where(table.notna(), None).to_dict("records")


# of a cut: MACs and parameters in thousands, AUROC as cut and after, the worst label and its fall
TRIED = {
    50: {
        "evolved": (9_800, 15, 0.83, 0.90, "effusion", 0.03),
        "uniform": (9_600, 16, 0.80, 0.87, "normal", 0.05),
        "taylor": (9_700, 14, 0.81, 0.88, "effusion", 0.04),
    },
    30: {
        "evolved": (5_900, 9, 0.75, 0.84, "effusion", 0.07),
        "uniform": (5_800, 10, 0.70, 0.82, "normal", 0.08),
        "taylor": (5_900, 8, 0.76, 0.86, None, None),
    },
}
WON = {50: "evolved", 30: "taylor"}


def tried(share, method):
    """One cut of a fold, as metrics.json has it."""
    macs, parameters, before, after, label, fall = TRIED[share][method]
    return {
        "macs": macs * 1000, "parameters": parameters * 1000, "auroc": before, "loss": 0.5,
        "worst_label": label, "worst_loss": fall, "contest_auroc": after, "contest_loss": 0.4,
    }  # fmt: skip


def pruning(folds=1, name="searched", figures=("front", "channels", "contest"), cuts=CUTS):
    """A parent of 20 M MACs cut to half and to 30 %: evolution wins at the one, Taylor at the other."""
    candidates = [
        {
            "fold": fold, "share": share, "generation": i // 2, "rung": 0, "auroc": 0.8 + i / 100,
            "loss": (0.49, 0.52, 0.51, 0.5)[i], "distance": 0.1, "macs": (share // 10 + i) * 10**6, "parameters": 15_000 + i,
            "front": int(i > 1), "picked": int(i == 3), "origin": ("uniform", "taylor", "random", "child")[i],
        }
        for fold in range(folds)
        for share in TRIED
        for i in range(4)
    ]  # fmt: skip
    channels = [
        {
            "fold": fold, "group": f"backbone.stages.{i}", "parent": 48,
            **{f"{cut}_{share}": kept - 10 + share // 5
               for share in TRIED
               for cut, kept in (("pruned", 16 + 8 * ((fold + i) % 3)), ("evolved", 24), ("uniform", 32))},
        }
        for fold in range(folds)
        for i in range(2)
    ]  # fmt: skip
    contest = [
        {
            "fold": fold, "share": share, "method": method, "number": number,
            **{key: found[key] for key in ("macs", "auroc", "loss", "contest_auroc", "contest_loss")},
            "chosen": int(method == WON[share] and number == 1),
        }
        for fold in range(folds)
        for share, methods in TRIED.items()
        for method in methods
        for number in ((1, 2) if method == "evolved" else (1,))
        for found in [tried(share, method)]
    ]  # fmt: skip
    parent = {"macs": 20_000_000, "parameters": 31_000, "auroc": 0.85, "loss": 0.4}
    own = {
        **{f"{method}_{share}": tried(share, method) for share in TRIED for method in TRIED[share]},
        **{f"pruned_{share}": {**tried(share, won), "origin": won} for share, won in WON.items()},
    }
    return report.Pruning(
        name=name,
        metrics={
            "parent": parent, "shares": list(TRIED), "evaluations": 40,
            "folds": [{"parent": parent, "cuts": copy.deepcopy(own)} for _ in range(folds)],
        },
        candidates=candidates,
        channels=channels,
        contest=contest,
        figures={key: png() for key in figures},
        finished=[finished(cut, folds, name, own[cut]["macs"]) for cut in cuts],
    )  # fmt: skip


def finished(cut, folds=1, name="searched", macs=9_800_000):
    """A cut that was fine-tuned for two epochs, in fold 0 for three."""
    level = 0.85 if cut.startswith("uniform") else 0.88
    history = [
        {"fold": fold, "epoch": epoch, "learning_rate": 0.1, "train_loss": 0.6,
         "val_loss": 0.5 - epoch / 100, "val_auroc": level + fold / 1000, "val_accuracy": 0.7}
        for fold in range(folds)
        for epoch in range(2 + (fold == 0))
    ]  # fmt: skip
    own = [
        {"best_epoch": 1, "macs": macs, "parameters": 15_003, "val_loss": 0.4, "val_auroc": level + fold / 1000,
         "val_accuracy": 0.7}
        for fold in range(folds)
    ]  # fmt: skip
    return report.Finished(
        name=f"{name}-{cut}",
        cut=cut,
        metrics={"val_auroc": level, "val_accuracy": 0.7, "macs": macs, "folds": own},
        history=history,
        figures={"history": png()},
    )


class Reader(HTMLParser):
    """Notes elements, attributes and the words; fails on an element closed out of order."""

    VOID = frozenset({"meta", "img", "br", "link", "input"})

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.words = [], [], []
        self.feed(text)
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())
