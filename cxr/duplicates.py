"""Near-duplicates: all pairs of thumbnails whose Pearson correlation is above a limit, exactly.

A thumbnail less its mean, divided by its length, is a unit vector, and the correlation of two is
their dot product. Turned onto the principal axes of the set, a few coordinates hold most of each
vector; what the rest can add is at most the product of the rests' lengths (Cauchy and Schwarz). So
one matrix product of these coordinates and lengths gives every pair a number that its correlation
does not exceed, and the few pairs that it can't rule out are decided in whole numbers: neither the
axes nor rounding reach the result. Unit vectors that correlate are near in each coordinate, too:
sorted by one of them, most need no look at each other.

Letters in names: N thumbnails, X pixels, D different thumbnails, C coordinates, P pairs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from cxr import progress

MOST_PAIRS = 1_000_000
"""No list of more pairs is made."""
_MARGIN = 1e-4  # float32 errs by less than 1e-5 in a dot product of 130 terms of unit vectors
_AXES_FROM = 4096  # thumbnails that the axes are made from, at most
_TRIED = (16, 24, 32, 48, 64, 96, 128)  # coordinates
_UNDECIDED = 1e-4  # share of the pairs that may be left to decide in whole numbers
_PORTION = 4096  # thumbnails at once where they are taken as numbers
_ROWS, _COLUMNS = 512, 1024  # of one matrix product: 2 MB, which the processor's cache holds


@dataclass(frozen=True, kw_only=True)
class Near:
    """The pairs found, sorted by places, and how many there are."""

    first_P: np.ndarray
    """int64, place of a pair's first thumbnail"""
    second_P: np.ndarray
    """int64, place of its second, above the first"""
    correlation_P: np.ndarray
    """float64, above the limit; 1 for equal thumbnails"""
    total: int
    """of all pairs: more than are listed if it is above MOST_PAIRS"""


def near_pairs(thumbnails_NHW: np.ndarray, *, correlation: float) -> Near:
    """Return all pairs of uint8 thumbnails with a Pearson correlation above `correlation`.

    Constant thumbnails correlate with nothing. Up to MOST_PAIRS each pair is listed. If there are
    more, equal thumbnails are listed with the first of them alone and other pairs by the first of
    either kind: that links the same images in less pairs. `total` counts all pairs either way.
    Raises ValueError if the different thumbnails alone make more than MOST_PAIRS, if `correlation`
    is not 0.5 to 1, or if the thumbnails are not uint8 (N, H, W) of at most 65,536 pixels.
    """
    if not 0.5 <= correlation <= 1:
        raise ValueError(f"correlation must be 0.5 to 1, not {correlation}")
    shape = thumbnails_NHW.shape
    if thumbnails_NHW.dtype != np.uint8 or len(shape) != 3 or shape[1] * shape[2] > 65_536:
        raise ValueError(
            "thumbnails must be uint8 (N, H, W) of at most 65,536 pixels, not "
            f"{thumbnails_NHW.dtype} {shape}"
        )
    pixels_NX = thumbnails_NHW.reshape(len(thumbnails_NHW), shape[1] * shape[2])
    kind_N = _kinds(pixels_NX) if correlation < 1 else np.full(len(pixels_NX), -1)
    member_M = np.argsort(kind_N, kind="stable")[np.count_nonzero(kind_N < 0) :]
    size_D = np.bincount(kind_N[member_M])
    start_D = np.cumsum(size_D) - size_D
    a_P, b_P, r_P = _different(pixels_NX, member_M[start_D], correlation)
    total = int((size_D[a_P] * size_D[b_P]).sum() + (size_D * (size_D - 1) // 2).sum())
    if total > MOST_PAIRS:
        first_M = member_M[start_D][kind_N[member_M]]
        copy = first_M != member_M
        return _sorted(
            np.concatenate([first_M[copy], member_M[start_D[a_P]]]),
            np.concatenate([member_M[copy], member_M[start_D[b_P]]]),
            np.concatenate([np.ones(int(copy.sum())), r_P]),
            total,
        )
    several = np.flatnonzero(size_D > 1)  # these pair with themselves
    a_P, b_P = np.concatenate([several, a_P]), np.concatenate([several, b_P])
    pair_E, i_E, j_E = _every(size_D[a_P], size_D[b_P])
    wanted = (a_P[pair_E] != b_P[pair_E]) | (i_E < j_E)
    pair_E, i_E, j_E = pair_E[wanted], i_E[wanted], j_E[wanted]
    r_P = np.concatenate([np.ones(len(several)), r_P])
    first, second = member_M[start_D[a_P[pair_E]] + i_E], member_M[start_D[b_P[pair_E]] + j_E]
    return _sorted(first, second, r_P[pair_E], total)


def _kinds(pixels_NX: np.ndarray) -> np.ndarray:
    """Return int64 (N,): equal thumbnails have one number, from 0 in their order; constant ones -1."""
    known: dict[bytes, int] = {}
    kind_N = np.full(len(pixels_NX), -1)
    for place, pixels_X in enumerate(pixels_NX):
        content = pixels_X.tobytes()
        if content.count(content[:1]) < len(content):
            digest = hashlib.blake2b(content, digest_size=16).digest()
            kind_N[place] = known.setdefault(digest, len(known))
    return kind_N


def _every(a_P: np.ndarray, b_P: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count out all (p, i, j) with i below a[p] and j below b[p]."""
    counts = a_P * b_P
    pair_E = np.repeat(np.arange(len(counts)), counts)
    rank_E = np.arange(len(pair_E)) - (np.cumsum(counts) - counts)[pair_E]
    return pair_E, rank_E // b_P[pair_E], rank_E % b_P[pair_E]


def _sorted(a_P: np.ndarray, b_P: np.ndarray, r_P: np.ndarray, total: int) -> Near:
    """Return the pairs in order of places, the lower one first."""
    first_P, second_P = np.minimum(a_P, b_P), np.maximum(a_P, b_P)
    order = np.lexsort((second_P, first_P))
    return Near(
        first_P=first_P[order],
        second_P=second_P[order],
        correlation_P=r_P[order],
        total=total,
    )


def _different(
    pixels_NX: np.ndarray, place_D: np.ndarray, limit: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the pairs (a, b, correlation) of the different thumbnails at `place_D`, in no order."""
    found = [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))]
    count = 0
    sum_D, square_D = _sums(pixels_NX, place_D)
    variance_D = pixels_NX.shape[1] * square_D - sum_D**2
    for a_P, b_P in _undecided(pixels_NX, place_D, limit):
        product_PX = pixels_NX[place_D[a_P]].astype(np.uint16) * pixels_NX[place_D[b_P]]
        dot_P = product_PX.sum(axis=1, dtype=np.uint32).astype(np.int64)
        covariance_P = pixels_NX.shape[1] * dot_P - sum_D[a_P] * sum_D[b_P]
        r_P, above_P = _decide(covariance_P, variance_D[a_P], variance_D[b_P], limit)
        found.append((a_P[above_P], b_P[above_P], r_P[above_P]))
        count += int(above_P.sum())
        if count > MOST_PAIRS:
            raise ValueError(
                f"more than {MOST_PAIRS:,} pairs of different images correlate above {limit} as "
                "thumbnails, which tells no duplicates: raise "
                "validate.near_duplicates.correlation towards 1 (1 looks for none)"
            )
    a_P, b_P, r_P = (np.concatenate(part) for part in zip(*found, strict=True))
    return a_P, b_P, r_P


def _sums(pixels_NX: np.ndarray, place_D: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the sums of each thumbnail's pixels and of their squares, int64 (D,)."""
    sums_2D = [np.zeros((2, 0), np.int64)]
    for part in _portions(place_D):
        pixels_SX = pixels_NX[part].astype(np.uint16)
        squares_SX = pixels_SX * pixels_SX
        sums_2D.append(np.stack([x.sum(axis=1, dtype=np.int64) for x in (pixels_SX, squares_SX)]))
    sum_D, square_D = np.concatenate(sums_2D, axis=1)
    return sum_D, square_D


def _decide(
    covariance_P: np.ndarray, a_P: np.ndarray, b_P: np.ndarray, limit: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return correlations, and whether they are above `limit`; variances in `a_P` and `b_P`.

    The whole numbers that come in are exact, so a correlation errs by a few 1e-16; near the limit
    the inequality is decided without a root, in whole numbers.
    """
    r_P = covariance_P / np.sqrt(a_P.astype(np.float64) * b_P.astype(np.float64))
    above_P = r_P > limit
    square = Fraction(str(limit)) ** 2
    for p in np.flatnonzero(np.abs(r_P - limit) < 1e-12):
        above_P[p] = int(covariance_P[p]) ** 2 > square * int(a_P[p]) * int(b_P[p])
    return r_P, above_P


def _undecided(
    pixels_NX: np.ndarray, place_D: np.ndarray, limit: float
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the pairs whose bound does not rule them out, as numbers below D, some thousand at once."""
    if len(place_D) < 2:
        return
    bounds_DC = _coordinates(pixels_NX, place_D, limit)
    by = int(bounds_DC[:, :-1].var(axis=0).argmax())
    order = np.argsort(bounds_DC[:, by], kind="stable")
    bounds_DC = np.ascontiguousarray(bounds_DC[order])
    key_D = bounds_DC[:, by].astype(np.float64)
    reach = np.sqrt(2 * (1 - limit)) + _MARGIN  # |a - b|^2 = 2 - 2 a.b for unit vectors
    starts = range(0, len(order), _ROWS)
    for start in progress.track(starts, total=len(starts), words="comparing thumbnails"):
        rows_RC = bounds_DC[start : start + _ROWS]
        end = int(np.searchsorted(key_D, key_D[start + len(rows_RC) - 1] + reach, side="right"))
        for left in range(start, end, _COLUMNS):
            bound_RR = rows_RC @ bounds_DC[left : min(left + _COLUMNS, end)].T
            cells = np.flatnonzero(bound_RR > limit - _MARGIN)  # far faster than nonzero in 2-D
            if len(cells):
                a_P, b_P = np.divmod(cells, bound_RR.shape[1])
                pairs_P2 = np.column_stack([a_P + start, b_P + left])
                for part_P2 in _portions(pairs_P2[pairs_P2[:, 0] < pairs_P2[:, 1]]):
                    yield order[part_P2[:, 0]], order[part_P2[:, 1]]


def _portions(rows: np.ndarray) -> Iterator[np.ndarray]:
    """Yield an array in parts that need little memory when each row becomes a thumbnail."""
    for start in range(0, len(rows), _PORTION):
        yield rows[start : start + _PORTION]


def _coordinates(pixels_NX: np.ndarray, place_D: np.ndarray, limit: float) -> np.ndarray:
    """Return float32 (D, C + 1): coordinates on principal axes, and the length of what they leave.

    As few coordinates as leave few pairs undecided, tried on a part of the thumbnails.
    """
    step = -(-len(place_D) // _AXES_FROM)
    some_SX = _unit(pixels_NX[place_D[::step]])
    axes_XX = np.linalg.eigh(some_SX.T @ some_SX)[1][:, ::-1]  # the widest first
    others = place_D[step // 2 :: step]  # not those that the axes were fitted to
    others_SX = _unit(pixels_NX[others[:: -(-len(others) // 1024)]])
    for count in _TRIED:
        bounds_SC = _bounds(others_SX, axes_XX[:, :count])
        above = np.count_nonzero(bounds_SC @ bounds_SC.T > limit - _MARGIN) - len(others_SX)
        if above <= _UNDECIDED * len(others_SX) ** 2:
            break
    axes_XC = np.ascontiguousarray(axes_XX[:, :count])
    return np.concatenate([_bounds(_unit(pixels_NX[part]), axes_XC) for part in _portions(place_D)])


def _unit(pixels_SX: np.ndarray) -> np.ndarray:
    """Return the thumbnails less their means as vectors of length 1, float64."""
    centred_SX = pixels_SX - pixels_SX.mean(axis=1, keepdims=True)
    return centred_SX / np.linalg.norm(centred_SX, axis=1, keepdims=True)


def _bounds(unit_SX: np.ndarray, axes_XC: np.ndarray) -> np.ndarray:
    """Return float32 (S, C + 1): two rows' dot product is at least their vectors' correlation."""
    coordinates_SC = unit_SX @ axes_XC
    rest_S = np.sqrt(np.maximum(1 - (coordinates_SC**2).sum(axis=1), 0.0))
    return np.column_stack([coordinates_SC, rest_S]).astype(np.float32)
