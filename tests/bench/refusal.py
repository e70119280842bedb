"""How well strange pictures are told from chest X-rays: `python -m tests.bench.refusal`.

Without words candidates for the score are compared, on real X-rays (darkcovidnet in CXR_REAL_DATA) and
on features of a network that ImageNet taught and of one that saw phantoms alone: a random part is
trained on, another sets the threshold, a third is judged, for several seeds. With `--project` and
`--model` an exported model of that folder is judged as it is, each fold's file by its test images.

AUROC: of strange pictures against held-out X-rays. FPR95: share of held-out X-rays refused where 95 % of
the strange are. Refused: share above the threshold, which is a tolerance limit by val.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from cxr import numerics

if __name__ == "__main__":
    numerics.enter()

import numpy as np

SEEDS, SIZE_PX = 3, 112
Score = Callable[[np.ndarray], np.ndarray]
"""Vectors (N, D) → scores (N,), larger is stranger."""


def auroc(held_out_N: np.ndarray, strange_M: np.ndarray) -> float:
    """Return the area under the curve of strange scores against held-out ones."""
    from sklearn.metrics import roc_auc_score

    truth = np.repeat([0, 1], [len(held_out_N), len(strange_M)])
    return float(roc_auc_score(truth, np.concatenate([held_out_N, strange_M])))


def fpr95(held_out_N: np.ndarray, strange_M: np.ndarray) -> float:
    """Return the share of held-out scores at or above what 95 % of the strange ones reach."""
    return float((held_out_N >= np.quantile(strange_M, 0.05, method="lower")).mean())


def threshold(val_N: np.ndarray) -> float:
    """Return the score that at most 5 % of what is like val exceed, with 95 % confidence."""
    from cxr.exporting import strangeness
    from cxr.metrics.tolerance import tolerance

    most = tolerance(len(val_N), exceeded=strangeness.REFUSED, confidence=strangeness.CONFIDENCE)
    return float(np.sort(val_N)[len(val_N) - 1 - most.above])


def mahalanobis(train_ND: np.ndarray, labels_N: np.ndarray, shrinkage: float = 0.1) -> Score:
    """Lee et al. 2018: the distance from the nearest class, with one covariance for all."""
    means, inverse = _tied(train_ND, labels_N, shrinkage)
    return lambda x: np.min([_squared(x - mean, inverse) for mean in means], axis=0)


def relative(train_ND: np.ndarray, labels_N: np.ndarray) -> Score:
    """Ren et al. 2021: the same, less the distance from all classes as one."""
    near, far = mahalanobis(train_ND, labels_N), mahalanobis(train_ND, np.zeros(len(labels_N), int))
    return lambda x: near(x) - far(x)


def neighbours(train_ND: np.ndarray, labels_N: np.ndarray) -> Score:
    """Sun et al. 2022: the cosine distance from the tenth nearest."""
    unit = lambda x: x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)  # noqa: E731
    known = unit(train_ND)
    return lambda x: np.sort(2 - 2 * unit(x) @ known.T, axis=1)[:, 9]


def residual(train_ND: np.ndarray, labels_N: np.ndarray) -> Score:
    """Wang et al. 2022 (ViM), without the logit: the length outside the first axes."""
    mean = train_ND.mean(axis=0)
    axes = np.linalg.svd(train_ND - mean, full_matrices=False)[2][: max(1, train_ND.shape[1] // 16)]
    return lambda x: np.linalg.norm((x - mean) - (x - mean) @ axes.T @ axes, axis=1)


def _tied(x_ND: np.ndarray, labels_N: np.ndarray, shrinkage: float) -> tuple[list[np.ndarray], np.ndarray]:  # fmt: skip
    classes = [x_ND[labels_N == label] for label in np.unique(labels_N)]
    means = [one.mean(axis=0) for one in classes]
    apart = np.concatenate([one - mean for one, mean in zip(classes, means, strict=True)])
    covariance = apart.T @ apart / len(apart)
    even = np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    return means, np.linalg.inv((1 - shrinkage) * covariance + shrinkage * even)


def _squared(apart_ND: np.ndarray, inverse_DD: np.ndarray) -> np.ndarray:
    return np.einsum("nd,nd->n", apart_ND @ inverse_DD, apart_ND)


def candidates(train: dict[str, np.ndarray], labels_N: np.ndarray, val: dict[str, np.ndarray]):
    """Return {name: function of {images, features} to scores (N,)}, ours last, with its parts."""
    from cxr.exporting import strangeness

    methods = {
        "Mahalanobis (Lee 2018)": mahalanobis, "relative (Ren 2021)": relative,
        "10th neighbour (Sun 2022)": neighbours, "residual (ViM, Wang 2022)": residual,
    }  # fmt: skip
    features = train["features"].astype(np.float64)
    found = {}
    for name, method in methods.items():
        score = method(features, labels_N)
        found[name] = lambda x, score=score: score(x["features"].astype(np.float64))
    fitted = strangeness.fit(*((x["images"], x["features"]) for x in (train, val))).strangeness
    parts = ("features", "picture", "turned")
    for place, name in enumerate(parts):
        found[f"ours, {name} alone"] = lambda x, place=place: fitted.apart(
            x["images"], x["features"]
        )[:, place]
    found["ours: the largest"] = lambda x: fitted.of(x["images"], x["features"])
    return found


def darkcovidnet(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return real X-rays uint8 (N, S, S) and the number of each one's class."""
    from cxr import archives, images
    from tests.bench import refusal_sets

    members = [name for name in archives.members(folder) if images.is_image(name)]
    classes = [name.split("/")[-2] for name in members]
    found = [
        refusal_sets.scaled(images.decode(archives.read(folder, name), name=name).grey, SIZE_PX)
        for name in members
    ]
    return np.stack(found), np.unique(classes, return_inverse=True)[1]


def networks(real: Path) -> Iterator[tuple[str, Callable[[np.ndarray], np.ndarray]]]:
    """Yield names of networks, and what gives features (N, C) of uint8 images."""
    import torch

    from cxr import backbones

    def reads(backbone: torch.nn.Module) -> Callable[[np.ndarray], np.ndarray]:
        def features(images_NSS: np.ndarray) -> np.ndarray:
            parts = [images_NSS[at : at + 64, None] for at in range(0, len(images_NSS), 64)]
            with torch.inference_mode():
                grey = [
                    (torch.from_numpy(x.astype(np.float32)) / 255 - 0.449) / 0.226 for x in parts
                ]
                return np.concatenate([backbone(x).numpy() for x in grey])

        return features

    path = real / "weights/mobilenetv2_035.imagenet.safetensors"
    taught = backbones.create("mobilenetv2_035", options={}, seed=1, stream=("refusal",)).eval()
    backbones.load_weights(taught, path, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    yield "MobileNetV2 0.35 of ImageNet", reads(taught)
    for folder in sorted(Path("data/models").glob("searched")):
        from cxr.training import models

        yield "searched on phantoms", reads(models.load(folder, 0).network.backbone.eval())


def compare(real: Path) -> None:
    """Print a table for each network: candidates by sets, the mean over seeds."""
    from cxr import seeding
    from tests.bench import refusal_sets

    images_NSS, labels_N = darkcovidnet(real / "darkcovidnet")
    for network, reads in networks(real):
        whole = _seen(images_NSS, reads)
        strange = {k: _seen(x, reads) for k, x in refusal_sets.made(SIZE_PX).items()}
        upset = {k: _seen(x, reads) for k, x in refusal_sets.turned(images_NSS).items()}
        rows: dict[str, list[list[float]]] = {}
        for seed in range(SEEDS):
            order = seeding.stream(seed, "refusal", "parts").permutation(len(images_NSS))
            train, val, test = np.split(order, [len(order) * 6 // 10, len(order) * 8 // 10])
            sets = {**{k: _rows(x, test) for k, x in upset.items()}, **strange}
            made = candidates(_rows(whole, train), labels_N[train], _rows(whole, val))
            for name, score in made.items():
                rows.setdefault(name, []).append(
                    _row(score(_rows(whole, test)), [score(x) for x in sets.values()],
                         threshold(score(_rows(whole, val))))
                )  # fmt: skip
        print(f"\n{network}: {len(images_NSS)} X-rays, {SEEDS} seeds; AUROC / FPR95 / refused\n")
        _print({name: np.mean(found, axis=0).tolist() for name, found in rows.items()}, list(sets))


def _seen(
    images_NSS: np.ndarray, reads: Callable[[np.ndarray], np.ndarray]
) -> dict[str, np.ndarray]:
    return {"images": images_NSS, "features": reads(images_NSS)}


def _rows(arrays: dict[str, np.ndarray], rows: np.ndarray) -> dict[str, np.ndarray]:
    return {name: array[rows] for name, array in arrays.items()}


def _row(test_N: np.ndarray, sets: list[np.ndarray], most: float) -> list[float]:
    return [float((test_N > most).mean())] + [
        x for one in sets for x in (auroc(test_N, one), fpr95(test_N, one), float((one > most).mean()))
    ]  # fmt: skip


def _print(rows: dict[str, list[float]], sets: list[str]) -> None:
    print("| score | test refused | " + " | ".join(sets) + " |\n" + "|---" * (len(sets) + 2) + "|")
    for name, (refused, *numbers) in rows.items():
        triples = [numbers[at : at + 3] for at in range(0, len(numbers), 3)]
        cells = [" / ".join(f"{x:.3f}" for x in three) for three in triples]
        print(f"| {name} | {refused:.3f} | " + " | ".join(cells) + " |")


def judge(project: Path, model: str) -> None:
    """Print how each fold's file of an exported model tells its own test images from strange pictures."""
    from cxr import answering, artifacts, prepared
    from tests.bench import refusal_sets

    images = prepared.read(project / "data/prepared")
    splits = artifacts.read_csv(project / "data/splits.csv")
    rows, seen, refused = {}, 0, 0
    for fold, of_test in enumerate(prepared.rows(images.index, splits, "test")):
        opened = answering.open_model(project / "data/exported" / model, fold=fold)
        test_NSS = images.gather(of_test)
        sets = {**refusal_sets.turned(test_NSS), **refusal_sets.made(opened.size_px)}
        test_N = opened.answer(test_NSS).strangeness
        strange = [opened.answer(pictures).strangeness for pictures in sets.values()]
        rows[f"fold {fold}"] = _row(test_N, strange, opened.threshold)
        seen, refused = seen + len(test_N), refused + int((test_N > opened.threshold).sum())
    print(f"{model}: {refused} of {seen} test images refused; AUROC / FPR95 / refused\n")
    _print(rows, list(sets))


def main() -> None:
    """Compare candidates, or judge an exported model."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.refusal", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--project", type=Path, default=Path(), help="where data/ of the model is")
    parser.add_argument("--model", help="an exported model to judge")
    arguments = parser.parse_args()
    numerics.exact_torch()
    if arguments.model:
        judge(arguments.project, arguments.model)
    elif real := os.environ.get("CXR_REAL_DATA"):
        compare(Path(real))
    else:
        sys.exit(
            "error: CXR_REAL_DATA must name the folder with real X-rays (darkcovidnet, weights)"
        )


if __name__ == "__main__":
    main()
