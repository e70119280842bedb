"""The manifest's own rules as a Great Expectations suite: names, hashes, ranges, sets of values.

Great Expectations takes 6 s to import and nothing else here needs it, so it is imported inside.
Its own results hold clock times and random ids; `results` keeps what is stable.
"""

from __future__ import annotations

import functools
import warnings
from types import ModuleType
from typing import Any

import pandas as pd

from cxr import manifest as manifests

SEVERITY = "critical"
MEANING = "The manifest breaks a rule that every data set's table must keep."
CURE = "Correct the reader in cxr/datasets or the data set's own tables, and ingest again."

_SHA256 = "^[0-9a-f]{64}$"
_SETS: dict[str, list[Any]] = {
    "kind": ["image", "mask"],
    "view": ["AP", "LATERAL", "PA"],
    "sex": ["F", "M"],
    "given_split": ["test", "train", "val"],
    "channels": [1, 2, 3, 4],
}  # an empty cell means unknown and is allowed
_MEASURED = ("file_bytes", "file_format", "width_px", "height_px", "channels", "bit_depth",
             "grey_min", "grey_max", "grey_mean", "grey_std", "pixels_sha256", "phash")  # fmt: skip


def find(manifest: pd.DataFrame) -> pd.DataFrame:
    """Return each image that breaks a rule; a rule about the whole table has no image."""
    return findings(results(manifest))


def results(manifest: pd.DataFrame) -> list[dict[str, Any]]:
    """Run the suite: rows (all or readable), expectation, column, words, success, unexpected.

    `unexpected` holds an (image, value) pair per row that breaks the rule; for a rule about the
    whole table the image is empty.
    """
    table = manifest.replace("", None)  # to Great Expectations empty is a value, here it is not
    readable = table[table["fault"].isna()]
    labels = manifests.label_columns(manifest)
    found = _run("all", table, _rules_for_all(labels))
    found += _run("readable", readable, _rules_for_readable())
    return sorted(found, key=lambda rule: (rule["rows"], rule["column"], rule["words"]))


def findings(rules: list[dict[str, Any]]) -> pd.DataFrame:
    """Turn the rules that did not hold into findings."""
    rows = []
    for rule in rules:
        if not rule["success"]:
            rows += [
                {"image": image, "detail": f"{rule['words']}; found {value}"}
                for image, value in rule["unexpected"]
            ]
    return pd.DataFrame(rows, columns=["image", "detail"], dtype=object)


def _rules_for_all(labels: list[str]) -> list[Any]:
    """Return what holds for every row."""
    gxe = _library().expectations
    return [
        gxe.ExpectTableRowCountToBeBetween(min_value=1),
        gxe.ExpectTableColumnsToMatchSet(column_set=[*manifests.COLUMNS, *labels]),
        gxe.ExpectColumnValuesToBeUnique(column="image"),
        gxe.ExpectColumnValuesToMatchRegex(column="image", regex=r"^[^/\\]+/[^\\]*[^/\\]$"),
        gxe.ExpectColumnValuesToMatchRegex(column="sha256", regex=_SHA256),
        *(
            gxe.ExpectColumnValuesToNotBeNull(column=name)
            for name in ("image", "dataset", "kind", "source", "patient", "sha256")
        ),
        *(gxe.ExpectColumnValuesToBeInSet(column=name, value_set=s) for name, s in _SETS.items()),
        *(gxe.ExpectColumnValuesToBeInSet(column=name, value_set=[0, 1]) for name in labels),
    ]


def _rules_for_readable() -> list[Any]:
    """Return what holds for every row whose image could be decoded."""
    gxe = _library().expectations
    between = gxe.ExpectColumnValuesToBeBetween
    a_above_b = gxe.ExpectColumnPairValuesAToBeGreaterThanB
    return [
        *(gxe.ExpectColumnValuesToNotBeNull(column=name) for name in _MEASURED),
        *(between(column=f"{x}_px", min_value=1, max_value=100_000) for x in ("width", "height")),
        *(between(column=f"grey_{x}", min_value=0, max_value=255) for x in ("min", "mean", "max")),
        between(column="file_bytes", min_value=1),
        between(column="bit_depth", min_value=1, max_value=32),
        between(column="grey_std", min_value=0, max_value=127.5),
        a_above_b(column_A="grey_max", column_B="grey_mean", or_equal=True),
        a_above_b(column_A="grey_mean", column_B="grey_min", or_equal=True),
        gxe.ExpectColumnValuesToMatchRegex(column="pixels_sha256", regex=_SHA256),
        gxe.ExpectColumnValuesToMatchRegex(column="phash", regex="^[0-9a-f]{16}$"),
    ]


def _library() -> ModuleType:
    """Import Great Expectations without its warnings that it uses sre_parse, old since 3.11."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "module 'sre_.*' is deprecated", DeprecationWarning)
        import great_expectations
        import great_expectations.expectations
    return great_expectations


@functools.cache
def _context() -> Any:
    """Return a context that lives in memory, reports to nobody and draws no bars."""
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = _library().get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    context.variables.analytics_enabled = False
    return context


def _run(rows: str, table: pd.DataFrame, expectations: list[Any]) -> list[dict[str, Any]]:
    """Validate one table and keep of each result what is the same in every run."""
    source = _context().data_sources.add_or_update_pandas(rows)
    asset = source.add_dataframe_asset(rows)
    batch = asset.add_batch_definition_whole_dataframe(rows).get_batch({"dataframe": table})
    suite = _library().ExpectationSuite(name=rows, expectations=expectations)
    wanted = {"result_format": "COMPLETE", "unexpected_index_column_names": ["image"]}
    return [_stable(rows, result) for result in batch.validate(suite, result_format=wanted).results]


def _stable(rows: str, result: Any) -> dict[str, Any]:
    """Keep the rule, whether it holds, and the (image, value) pairs that break it."""
    kwargs = {k: v for k, v in result.expectation_config.kwargs.items() if k != "batch_id"}
    column = kwargs.pop("column", None) or kwargs.get("column_A", "")
    name = result.expectation_config.type
    limits = ", ".join(f"{word} {_short(value)}" for word, value in sorted(kwargs.items()))
    found = result.result.get("unexpected_index_list") or []
    words = f"{column or 'table'}: {name.replace('_', ' ')}" + (f" ({limits})" if limits else "")
    broken = sorted((str(row["image"]), _short(row.get(column))) for row in found)
    if not result.success and not broken:
        details = result.result.get("details", {}).get("mismatched")
        broken = [("", _short(details or result.result.get("observed_value")))]
    return {
        "rows": rows,
        "column": column,
        "expectation": name,
        "words": words,
        "success": bool(result.success),
        "unexpected": broken,
    }


def _short(value: Any) -> str:
    """Say a value in a few words."""
    if isinstance(value, list) and len(value) > 8:
        return f"of {len(value)} names"
    return "nothing" if value is None or value != value else str(value)
