"""The writers whose bytes are stable, each of them atomic: a file is whole or it is not there.

Stable: JSON with sorted keys, CSV, .npy, safetensors with one metadata key, PNG. Not stable, so
never written here: torch.save (holds its own file name), zip/tar/gzip with clock times, SVG, PDF.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    import torch
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which people with any colour vision tell apart; in a readable order
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#8A8A00")

_FIGURE_STYLE = {
    "font.family": ["DejaVu Sans"],  # comes with matplotlib, so every machine has the same glyphs
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": "#888888",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": f"cycler(color={list(PALETTE)})",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.8,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "lines.linewidth": 1.8,
    "legend.frameon": False,
    "text.hinting": "none",  # hinting follows the environment (FREETYPE_PROPERTIES)
    "image.cmap": "gray",
    "image.interpolation": "nearest",
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Write through a temporary neighbour, fsync and rename, so that no reader sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):  # a read-only disk refuses even this
            partial.unlink()
        _name_file(error, partial, path)
        raise


@contextlib.contextmanager
def folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder that takes the place of `path` when the block ends, and goes if it fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    old = path.with_name(f".{path.name}.{os.getpid()}.old.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        yield partial
        if path.exists():
            path.replace(old)  # by name, so that the old content is never there in part
        partial.replace(path)
        shutil.rmtree(old, ignore_errors=True)
    except BaseException as error:
        shutil.rmtree(partial, ignore_errors=True)
        if old.exists() and not path.exists():
            old.replace(path)
        _name_file(error, partial, path)
        raise


def _name_file(error: BaseException, partial: Path, path: Path) -> None:
    """Let an OSError name the file that was wanted: a full disk names none, others the partial one."""
    if not isinstance(error, OSError):
        return
    if error.filename is None and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
        error.filename = str(path)
    elif str(error.filename).startswith(str(partial)):
        error.filename = str(error.filename).replace(str(partial), str(path))
        error.filename2 = None


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text with Unix line ends."""
    write_bytes(path, text.encode())


def canonical_json(tree: Any) -> str:
    """Return JSON with sorted keys and no spaces; raise ValueError on NaN (write null for unknown)."""
    return json.dumps(tree, sort_keys=True, separators=(",", ":"), allow_nan=False)


def write_json(path: Path, tree: Any) -> None:
    """Write JSON for people and machines: sorted keys, two spaces, a last line end."""
    text = json.dumps(tree, sort_keys=True, indent=2, allow_nan=False, ensure_ascii=False)
    write_text(path, text + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file; raise ValueError that names it."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not valid JSON: {error}") from None


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table without its index; floats in their shortest exact form, NaN as an empty cell."""
    write_text(path, _plain_csv(table) or table.to_csv(index=False, lineterminator="\n"))


def _plain_csv(table: pd.DataFrame) -> str:
    """Return what `to_csv` would, in a seventh of its time; "" if a cell has to be quoted, or may have."""
    columns = [_words(column) for _, column in table.items()]
    words = [column for column in columns if column is not None]
    if len(words) < max(2, len(columns)) or not all(isinstance(x, str) for x in table.columns):
        return ""
    lines = [",".join(table.columns), *map(",".join, zip(*words, strict=True)), ""]
    text = "\n".join(lines)
    # a comma or line end inside a cell would be one too many
    plain = (
        text.count(",") == (len(lines) - 1) * (len(words) - 1)
        and text.count("\n") == len(lines) - 1
    )
    return text if plain and '"' not in text and "\r" not in text else ""


def _words(column: pd.Series) -> list[str] | None:
    """Return a column's cells as `to_csv` writes them; None of a kind that is left to it."""
    import pandas as pd

    if isinstance(column.dtype, pd.StringDtype):
        return column.fillna("").tolist()
    if column.dtype == np.float64:  # by their bits, which tell -0.0 from 0.0
        codes, bits = pd.factorize(column.to_numpy().view(np.int64))
        words = ["" if x != x else repr(x) for x in bits.view(np.float64).tolist()]
    elif pd.api.types.is_integer_dtype(column.dtype):
        codes, numbers = pd.factorize(column)
        words = [*map(str, numbers.tolist()), ""]  # the code of an unknown one is -1
    else:
        cells = column.tolist()
        return cells if all(type(cell) is str for cell in cells) else None
    return np.array(words, dtype=object)[codes].tolist()


def read_csv(path: Path, **options: Any) -> pd.DataFrame:
    """Read a table that `write_csv` wrote; floats come back bit for bit."""
    import pandas as pd

    return pd.read_csv(path, **options)  # pandas 3.1 parses exactly; float_precision is deprecated


def write_array(path: Path, array: np.ndarray) -> None:
    """Write an array as .npy (no pickled objects)."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    write_bytes(path, buffer.getbuffer())


def write_tensors(
    path: Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, Any]
) -> None:
    """Write tensors, sorted by name, with `metadata` as one key of canonical JSON.

    safetensors writes several metadata keys in random order (its map is a Rust HashMap).
    """
    from safetensors.torch import save

    ordered = {name: tensors[name].detach().contiguous().clone() for name in sorted(tensors)}
    write_bytes(path, save(ordered, metadata={"cxr": canonical_json(metadata)}))


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Read the tensors of a safetensors file by name; raise ValueError that names a damaged file."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return dict(sorted(load(path.read_bytes()).items()))  # they come in random order
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged: {error}; make or fetch it again") from None


def new_figure(
    width_in: float, height_in: float, rows: int = 1, columns: int = 1
) -> tuple[Figure, Any]:
    """Return a figure in the house style with its axes, shaped as `plt.subplots` shapes them.

    One Axes for 1x1, an array (n,) for a single row or column, else an array (rows, columns).
    """
    from matplotlib.figure import Figure

    _style_figures()
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    return figure, figure.subplots(rows, columns)


def write_figure(path: Path, figure: Figure, *, dpi: int = 100) -> None:
    """Draw a matplotlib figure to PNG; no clock time and no version enters the file."""
    _style_figures()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    write_bytes(path, buffer.getvalue())


def _style_figures() -> None:
    """Put matplotlib's own defaults and our style in the place of the user's matplotlibrc.

    For the whole process, not in a context: `axes.plot` and `savefig` read the settings again.
    """
    import matplotlib

    matplotlib.rcParams.update(matplotlib.rcParamsDefault)
    matplotlib.rcParams.update(_FIGURE_STYLE)  # type: ignore[arg-type]
