"""What a pruned network is worth before fine-tuning: cut, recalibrated, scored on search_val.

Seconds instead of a training (Li et al. 2020, "EagleEye: Fast Sub-net Evaluation for Efficient Neural
Network Pruning"). That this order is the order after fine-tuning is their finding, not yet measured
here: hence the uniform cut that is fine-tuned beside the pick.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cxr import numerics, prepared
from cxr.metrics import cost
from cxr.pruning import cutting, parent
from cxr.pruning.parent import Fold
from cxr.training import loop, models


@dataclass(frozen=True)
class Task:
    """One candidate, as a worker receives it."""

    fold: Fold
    kept: Mapping[str, list[int]]
    """group of channels: the channels kept; groups that are not named stay whole"""


def evaluate(task: Task) -> dict[str, Any]:
    """Return the candidate's macro AUROC and plain loss on search_val, its MACs and parameters."""
    numerics.exact_torch()
    images = prepared.read(task.fold.prepared_folder)
    member = models.load(task.fold.model, task.fold.number)
    macs = cutting.cut(member.network, task.kept, size_px=images.size_px)
    calibrating = images.gather(task.fold.recalibration_rows)
    cutting.recalibrate(member.network, member.recipe, calibrating)
    search_val = parent.part(images, task.fold.search_val_rows)
    loss, score, _ = loop.judge(member.network, member.recipe, search_val)
    return {
        "auroc": score,
        "loss": loss,
        "macs": macs,
        "parameters": cost.parameters(member.network),
    }
