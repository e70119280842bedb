"""differences: every pair with interval and corrected p, what is clear stands out, nothing for one model."""

from cxr import report
from cxr.report import differences
from tests.report import cases

ENDS = {"label": "", "p": 0.01, "p_delong": None, "p_delong_holm": None}


def pair(metric, value, p_holm, **changes):
    found = {"first": "small", "second": "large", "metric": metric, "difference": value}
    found |= {
        "low": None if value is None else value - 0.02,
        "high": None if value is None else value + 0.02,
    }
    return {**ENDS, **found, "p_holm": p_holm, **changes}  # fmt: skip


def page(rows):
    return cases.Reader(report.page(cases.study(differences=rows)))


def test_each_pair_has_a_line_with_interval_and_corrected_p():
    rows = [
        pair("accuracy", 0.1, 0.0004),
        pair("macro_f1", -0.01, 0.8),
        pair("auroc", 0.03, None),
        pair("auroc", 0.5, 0.001, label="normal"),
    ]
    said = page(rows).text
    assert "1 of 3 differences are more than noise." in said
    line = "small − large +0.100 [+0.080, +0.120] p < 0.001 −0.010 [−0.030, +0.010] p = 0.800 +0.030 [+0.010, +0.050]"
    assert line in said
    assert "0.500" not in said.partition("small − large")[2].partition("Both models")[0]


def test_what_is_clear_stands_out_and_nothing_else():
    shown = differences.differences(cases.study(differences=[pair("auroc", 0.1, 0.049)]))
    assert "<strong>+0.100</strong>" in shown
    unclear = differences.differences(cases.study(differences=[pair("auroc", 0.1, 0.05)]))
    assert "<strong>" not in unclear and "+0.100" in unclear


def test_what_is_undefined_is_a_dash():
    assert "small − large – – –" in page([pair("accuracy", None, None)]).text


def test_without_pairs_there_is_no_section():
    assert differences.differences(cases.study()) == ""
    assert "Differences" not in page([]).text
