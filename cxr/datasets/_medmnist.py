"""What MedMNIST publishes of its twelve 2D sets: labels in their order, counts, form, licence.

From `medmnist/info.py` of https://github.com/MedMNIST/MedMNIST (version 3.0.2). The organ sets have
two official counts, of version 3 (a few images fewer) and of version 2, in this order.
"""

from __future__ import annotations

from dataclasses import dataclass

from cxr.datasets._cells import label_name


@dataclass(frozen=True, kw_only=True)
class Set:
    """One set as published."""

    name: str
    labels: tuple[str, ...]
    """Names of the classes 0, 1, …; of multi-label sets, of the columns."""
    counts: tuple[tuple[int, int, int], ...]
    """Images to train, validate and test; more than one if versions differ."""
    colour: bool
    multilabel: bool
    licence: str


def _set(
    name: str,
    labels: str,
    *counts: tuple[int, int, int],
    colour: bool = False,
    multilabel: bool = False,
    licence: str = "CC-BY-4.0",
) -> Set:
    """Return a set whose labels are written as published, one after the other with `;`."""
    names = tuple(label_name(word) for word in labels.split(";"))
    return Set(
        name=name, labels=names, counts=counts, colour=colour, multilabel=multilabel, licence=licence
    )  # fmt: skip


_ORGANS = (
    "bladder; femur-left; femur-right; heart; kidney-left; kidney-right; liver; lung-left; "
    "lung-right; pancreas; spleen"
)
_ALL = (
    _set(
        "chestmnist",
        "atelectasis; cardiomegaly; effusion; infiltration; mass; nodule; pneumonia; pneumothorax; "
        "consolidation; edema; emphysema; fibrosis; pleural; hernia",
        (78468, 11219, 22433),
        multilabel=True,
    ),
    _set("pneumoniamnist", "normal; pneumonia", (4708, 524, 624)),
    _set(
        "pathmnist",
        "adipose; background; debris; lymphocytes; mucus; smooth muscle; normal colon mucosa; "
        "cancer-associated stroma; colorectal adenocarcinoma epithelium",
        (89996, 10004, 7180),
        colour=True,
    ),
    _set(
        "dermamnist",
        "actinic keratoses and intraepithelial carcinoma; basal cell carcinoma; "
        "benign keratosis-like lesions; dermatofibroma; melanoma; melanocytic nevi; vascular lesions",
        (7007, 1003, 2005),
        colour=True,
        licence="CC-BY-NC-4.0",
    ),
    _set(
        "octmnist",
        "choroidal neovascularization; diabetic macular edema; drusen; normal",
        (97477, 10832, 1000),
    ),
    # published as "0" to "4": grades of diabetic retinopathy
    _set("retinamnist", "grade 0; grade 1; grade 2; grade 3; grade 4", (1080, 120, 400), colour=True),
    _set("breastmnist", "malignant; normal, benign", (546, 78, 156)),
    _set(
        "bloodmnist",
        "basophil; eosinophil; erythroblast; "
        "immature granulocytes(myelocytes, metamyelocytes and promyelocytes); "
        "lymphocyte; monocyte; neutrophil; platelet",
        (11959, 1712, 3421),
        colour=True,
    ),
    _set(
        "tissuemnist",
        "Collecting Duct, Connecting Tubule; Distal Convoluted Tubule; Glomerular endothelial cells; "
        "Interstitial endothelial cells; Leukocytes; Podocytes; Proximal Tubule Segments; "
        "Thick Ascending Limb",
        (165466, 23640, 47280),
    ),
    _set("organamnist", _ORGANS, (34561, 6491, 17778), (34581, 6491, 17778)),
    _set("organcmnist", _ORGANS, (12975, 2392, 8216), (13000, 2392, 8268)),
    _set("organsmnist", _ORGANS, (13932, 2452, 8827), (13940, 2452, 8829)),
)  # fmt: skip

SETS = {one.name: one for one in _ALL}
