"""What was measured as rows of numbers, and the same as a page of tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cxr.speed import host
from cxr.speed.turns import Contender, Measured, times_faster

_ENGINES = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO", "pytorch": "PyTorch, eager"}
_MEGA = 1e6


def rows(measured: Sequence[Measured], *, first: str) -> list[dict[str, Any]]:
    """Return a row for each contender of one batch and number of threads.

    times_pytorch: how many times faster than the model `first` in PyTorch, in the faster of its
    profiles; times_first: than `first` in float32 by the same engine. Both as lower quartile,
    median and upper quartile over the turns. difference: the largest of a probability to PyTorch's.
    Raises ValueError if two have not scored the same images.
    """
    if len({one.ready["input_sha256"] for one in measured}) > 1:
        raise ValueError("the contenders have not scored the same images: start again")
    torches = [one for one in measured if one.contender.engine == "pytorch"]
    slow = min(
        (one for one in torches if one.contender.model == first),
        key=lambda one: one.quartiles_ms()[1],
    )
    result = []
    for one in measured:
        own, alike = one.contender, [x for x in measured if _same_way(x.contender, one.contender)]
        beside = next(x for x in alike if x.contender.model == first)
        torch = next(x for x in torches if x.contender.model == own.model)
        result.append({
            **described(own),
            "version": one.ready["version"],
            "quartiles_ms": one.quartiles_ms(),
            "turn_medians_ms": [float(np.median(turn)) for turn in one.turns_ms],
            "runs": sum(map(len, one.turns_ms)),
            "processor_ms": float(np.median(one.processor_ms)),
            "load_ms": one.ready["load_ms"],
            "first_ms": one.ready["first_ms"],
            "imports_bytes": one.ready["imports_bytes"],
            "peak_bytes": one.peak_bytes,
            "difference": difference(one.ready["output"], torch.ready["output"]),
            "times_pytorch": times_faster(slow, one),
            "times_first": times_faster(beside, one),
        })  # fmt: skip
    return result


def _same_way(one: Contender, other: Contender) -> bool:
    """Tell whether two are run alike; of an int8 file the float32 one is meant."""
    return (one.engine, one.exact, one.precision) == (other.engine, other.exact, "float32")


def described(contender: Contender) -> dict[str, Any]:
    """Return what a contender is, as a row says it."""
    return {
        "model": contender.model, "engine": contender.engine, "precision": contender.precision,
        "exact": contender.exact, "batch": contender.batch, "threads": contender.threads,
    }  # fmt: skip


def difference(one: Sequence[Sequence[float]], other: Sequence[Sequence[float]]) -> float:
    """Return the largest difference of two tables of probabilities."""
    return float(np.abs(np.asarray(one) - np.asarray(other)).max())


def page(tree: Mapping[str, Any]) -> str:
    """Return the report as Markdown."""
    parts = [
        "# How fast, how much memory, how large",
        _machine(tree),
        "## The models",
        _models(tree),
        *(
            f"## Batch of {batch}, {threads} thread(s)\n\n{_times(tree, batch, threads)}"
            for batch, threads in dict.fromkeys((x["batch"], x["threads"]) for x in tree["rows"])
        ),
        _legend(tree),
        "## On a small computer",
        _edge(tree["edge"]),
    ]
    return "\n\n".join(parts) + "\n"


def _machine(tree: Mapping[str, Any]) -> str:
    found, used = tree["host"], tree["load"]
    lines = [
        f"{found['processor']}, {found['usable_cores']} of {found['cores']} cores, "
        f"{found['memory_bytes'] / 2**30:.0f} GiB, {found['system']}; others used "
        f"{used['others_cores']:.2f} cores meanwhile, {used['stolen_cores']:.2f} were withheld from "
        "this machine."
    ]
    if max(used.values()) > host.QUIET_CORES:
        lines.append(
            "**THE MACHINE WAS BUSY: these times mean little; measure again when it is quiet.**"
        )
    return "\n\n".join(lines)


def _models(tree: Mapping[str, Any]) -> str:
    body = []
    for name, about in tree["models"].items():
        files = about["files"]
        body.append([
            name, f"{about['size_px']} px", f"{about['parameters']:,}", f"{about['macs'] / 1e6:,.1f} M",
            *(_size(files[kind]["bytes"]) if kind in files else "" for kind in ("float32", "int8")),
            _size(about["weights_bytes"]),
        ])  # fmt: skip
    head = ["model", "side", "parameters", "MACs", "ONNX file", "int8 file", "weights"]
    return table(head, body)


def _times(tree: Mapping[str, Any], batch: int, threads: int) -> str:
    body = []
    for row in tree["rows"]:
        if (row["batch"], row["threads"]) != (batch, threads):
            continue
        if "missing" in row:
            body.append([row["model"], _way(row), row["missing"], *[""] * 5])
            continue
        low, middle, high = row["quartiles_ms"]
        body.append([
            row["model"], _way(row), f"{middle:,.2f} [{low:,.2f}, {high:,.2f}]",
            f"{row['processor_ms']:,.2f}", f"{row['times_pytorch'][1]:.2f}",
            f"{row['times_first'][1]:.2f}",
            f"{_size(row['peak_bytes'])} ({_size(row['imports_bytes'])})", f"{row['difference']:.1e}",
        ])  # fmt: skip
    head = [
        "model", "run by", "ms [quartiles]", "processor ms", "× PyTorch", "× first", "peak (imports)",
        "difference",
    ]  # fmt: skip
    return table(head, body)


def _way(row: Mapping[str, Any]) -> str:
    profile = ", the product's exact profile" if row["exact"] else ""
    kind = ", int8" if row["precision"] == "int8" else ""
    return f"{_ENGINES[row['engine']]}{profile}{kind}"


def _legend(tree: Mapping[str, Any]) -> str:
    first = next(iter(tree["models"]))
    versions = {_ENGINES[x["engine"]]: x["version"] for x in tree["rows"] if "version" in x}
    return (
        f"{', '.join(f'{name} {version}' for name, version in versions.items())}. ms: of one call, median and quartiles over {tree['rounds']} turns of about "
        f"{tree['seconds']:g} s, the contenders of a table taking turns. Processor ms: of a call, all "
        "threads together, without waiting for others. × PyTorch: how many times faster than "
        f"{first} in eager PyTorch, in the faster of its profiles. × first: than {first} in float32, "
        "run alike. Peak: the most memory of a process of its own, from its start to its end; in "
        "brackets what is there before the model is loaded. Difference: the largest of a probability "
        "to eager PyTorch on the same images."
    )


def _edge(edge: Mapping[str, Any]) -> str:
    body = []
    for row in edge["rows"]:
        what = [row["model"], _way(row), str(row["batch"])]
        charged = _size(row["charged_bytes"]) if row.get("charged_bytes") else ""
        if not row["answers"]:
            body.append([*what, f"no: {row['why']}", "", "", "", charged, ""])
            continue
        low, middle, high = row["quartiles_ms"]
        fits = row["peak_bytes"] <= edge["memory_bytes"]
        body.append([
            *what, "yes" if fits else "only with libraries that others had loaded",
            f"{middle:,.2f} [{low:,.2f}, {high:,.2f}]", f"{row['load_ms'] + row['first_ms']:,.0f}",
            _size(row["peak_bytes"]), charged, f"{row['difference']:.1e}",
        ])  # fmt: skip
    head = [
        "model", "run by", "batch", "answers", "ms [quartiles]", "first answer ms", "peak", "charged",
        "difference",
    ]  # fmt: skip
    words = (
        f"{edge['bounds']}. First answer: loading and the first call, without starting Python and "
        "importing. Charged: what the kernel counted against the limit, which leaves out pages of "
        "files that other processes had read before."
    )
    return f"{words}\n\n{table(head, body)}"


def _size(count: float) -> str:
    return f"{count / _MEGA:,.2f} MB" if count < 10 * _MEGA else f"{count / _MEGA:,.0f} MB"


def table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown, its columns as wide as their cells."""
    widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]
    lines = [[*head], ["-" * width for width in widths], *body]
    return "\n".join(
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))} |"
        for line in lines
    )
