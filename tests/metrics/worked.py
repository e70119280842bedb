"""Published examples whose data and results are both in print.

OVARIAN: DeLong, DeLong & Clarke-Pearson 1988, "Comparing the areas under two or more correlated
receiver operating characteristic curves", Biometrics 44:837-845: patients with ovarian cancer, three
tests of who benefits from surgery; as the SAS/STAT User's Guide prints them, "The LOGISTIC
Procedure", example "Comparing Receiver Operating Characteristic Curves", with the results.
RATINGS: Hanley & McNeil 1982, "The meaning and use of the area under a receiver operating
characteristic (ROC) curve", Radiology 143:29-36, table I: 109 CT images of the head, rated 1 to 5;
results also in the Stata Base Reference Manual, "roctab".
"""

from __future__ import annotations

import numpy as np

_ROWS = """
3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0
1.6 5.6 5 1  3.8 5.7 5 1  3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1
4.3 7.0 4 1  3.6 6.7 4 0  2.3 4.4 6 1  4.2 7.6 4 0  4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1
3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1  3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1  4.3 6.5 4 1
3.2 5.1 5 1  2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0  3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1
3.5 6.2 5 1  2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1  3.3 5.7 6 1  3.7 6.9 5 1
3.6 6.6 5 1
"""
_TABLE = np.array(_ROWS.split(), float).reshape(-1, 4)
OVARIAN_TRUTH = _TABLE[:, 3]
OVARIAN = np.stack([_TABLE[:, 0], 10 - _TABLE[:, 2], _TABLE[:, 1]])
"""Albumin, K-G score, total protein."""

_NORMAL, _ABNORMAL = [33, 6, 6, 11, 2], [3, 2, 2, 11, 33]
RATINGS_TRUTH = np.repeat([0.0, 1.0], [sum(_NORMAL), sum(_ABNORMAL)])
RATINGS = np.repeat([*range(1, 6), *range(1, 6)], [*_NORMAL, *_ABNORMAL]).astype(float)
