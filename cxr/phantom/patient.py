"""Who is examined: age, sex, findings and the measures of a body, the same in all her images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cxr import seeding

CLASSES = ("normal", "opacity", "ground_glass", "effusion")
FINDINGS = CLASSES[1:]

# multiclass: of every 20 patients in a row, so that few patients already show all classes
_OF_TWENTY = {"normal": 8, "opacity": 4, "ground_glass": 4, "effusion": 4}
# multilabel: each finding by its own chance
_CHANCE = {"opacity": 0.35, "ground_glass": 0.30, "effusion": 0.30}

# Lowest and highest value, drawn evenly. Lengths are in the units of space.py, y grows downward.
_ANATOMY = {
    "cage": (0.70, 0.80),  # half width of the thorax inside
    "apex": (-0.80, -0.70),  # y of the lungs' tips
    "dome": (0.40, 0.54),  # y of the right diaphragm's top
    "dome_step": (0.03, 0.10),  # how much lower the left one lies
    "dome_height": (0.15, 0.25),  # from the domes' tops down to the costophrenic angles
    "fat": (0.07, 0.20),  # soft tissue outside the ribs
    "density": (2.0, 2.5),  # attenuation through the middle of the body
    "heart": (0.40, 0.52),  # cardiothoracic ratio in PA
    "heart_tilt": (0.35, 0.75),  # of its long axis, in radians
    "mediastinum": (0.10, 0.145),  # half width above the heart
    "knob": (0.065, 0.115),  # radius of the aortic knob
    "rib_gap": (0.135, 0.16),
    "rib_slope": (0.04, 0.16),
    "rib_drop": (0.25, 0.42),  # how far a rib has come down at the chest wall
    "rib_phase": (0.0, 1.0),
    "bone": (0.75, 1.25),  # density of the skeleton
    "clavicle": (-0.64, -0.54),  # y of the inner ends
    "stomach": (-0.5, 1.0),  # size of the gas bubble under the left dome, none below 0
    "breast": (0.1, 1.0),  # size of the breasts' shadow
    "vessels": (0.7, 1.3),  # how prominent they are
}


@dataclass(frozen=True, kw_only=True)
class Patient:
    """What all images of one patient share."""

    index: int
    """Number in the cohort, from 0."""
    age_years: int
    sex: str
    """F or M."""
    findings: tuple[str, ...]
    """Some of FINDINGS, in that order; empty: normal."""
    severity: float
    """0 hardly visible to 1."""
    anatomy: dict[str, float]


def patient(seed: int, index: int, *, task: str) -> Patient:
    """Draw patient `index`; she is the same however many others there are."""
    rng = seeding.stream(seed, "phantom", "patient", index)
    sex = "F" if rng.random() < 0.5 else "M"
    age_years = int(rng.integers(18, 90))
    severity = float(rng.beta(1.6, 1.4))
    anatomy = {name: float(rng.uniform(*limits)) for name, limits in _ANATOMY.items()}
    anatomy["knob"] += 0.0004 * (age_years - 50)  # the aorta widens with age
    anatomy["breast"] *= sex == "F"
    return Patient(
        index=index,
        age_years=age_years,
        sex=sex,
        findings=_findings(seed, index, task),
        severity=severity,
        anatomy=anatomy,
    )


def _findings(seed: int, index: int, task: str) -> tuple[str, ...]:
    """Draw what the patient has, apart from who she is."""
    if task == "multilabel":
        rng = seeding.stream(seed, "phantom", "findings", index)
        return tuple(name for name in FINDINGS if rng.random() < _CHANCE[name])
    if task == "multiclass":
        names = np.repeat(list(_OF_TWENTY), list(_OF_TWENTY.values()))
        order = seeding.stream(seed, "phantom", "classes", index // 20).permutation(len(names))
        name = str(names[order[index % 20]])
        return () if name == "normal" else (name,)
    raise ValueError(f"phantom.task must be multiclass or multilabel, not {task!r}")
