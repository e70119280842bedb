"""What a transfer recipe says, as strict records: the section `transfer.recipes.<run>` of params.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Loss = Literal["cross_entropy", "bce", "asymmetric"]
"""cross_entropy: one label per image; the others: any number of labels, unknown ones ignored."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """A local safetensors file, under timm's names or kept of a model of ours, bound to its content."""

    file: str
    """path under the project, e.g. data/raw/weights/mobilenetv2_035.safetensors"""
    sha256: str
    """of the file: it, and not the path, is what the result depends on"""


@dataclass(frozen=True, kw_only=True)
class Hub:
    """timm's own weights, fetched from its hub, bound to their content."""

    hub: str
    """timm's name with its tag, e.g. vgg16.tv_in1k"""
    sha256: str
    """of the safetensors file; a wrong one is told with the right one"""


@dataclass(frozen=True, kw_only=True)
class Head:
    """What turns pooled features into one score per label."""

    kind: Literal["linear", "mlp"]
    """linear: one layer; mlp: hidden layers with ReLU before it"""
    hidden: list[int]
    """widths of the hidden layers, empty for linear"""
    dropout: float
    """probability of dropping a feature before the last layer, 0 to <1"""

    def __post_init__(self) -> None:
        if (self.kind == "linear") != (len(self.hidden) == 0):
            raise ValueError("hidden must be empty for kind linear and not for kind mlp")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be in [0, 1), not {self.dropout}")


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """AdamW (Loshchilov & Hutter 2019) with linear warm-up and cosine decay to 0."""

    learning_rate: float
    """of the backbone, at its peak"""
    head_learning_rate: float
    """of the head, at its peak"""
    weight_decay: float
    """on weights of two dimensions and more; none on biases and BatchNorm"""
    warmup_epochs: float
    """length of the linear warm-up"""


@dataclass(frozen=True, kw_only=True)
class EarlyStopping:
    """Which epoch's weights are kept, chosen on val."""

    monitor: Literal["loss", "auroc", "accuracy", "last"]
    """what is watched on val; last: nothing, the last epoch is kept and val chooses nothing"""
    patience: int
    """stop after so many epochs without a better one; last never stops early"""


@dataclass(frozen=True, kw_only=True)
class Distillation:
    """How much a student listens to its teacher (Hinton et al. 2015)."""

    weight: float
    """of the teacher's word in the loss, 0 (labels alone) to 1 (teacher alone)"""
    temperature: float
    """both raw scores are divided by it before they are compared, above 0; high: softer targets"""

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 1:
            raise ValueError(f"weight must be in [0, 1], not {self.weight}")
        if self.temperature <= 0:
            raise ValueError(f"temperature must be above 0, not {self.temperature}")


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Random changes of the training images, drawn per image and epoch, each uniform in ± its value."""

    rotate_deg: float
    """degrees"""
    translate: float
    """share of the side"""
    scale: float
    """zoom by 1 ± scale"""
    brightness: float
    """shift by ± brightness × 255"""
    contrast: float
    """stretch about the middle grey by 1 ± contrast"""
    flip: bool
    """mirror half of the images; hides laterality, so off by default"""
    border: Literal["black", "edge"]
    """what moves in from outside of the image: black, or its edge repeated"""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How one network is made from prepared images."""

    backbone: str
    """a timm name, a paper's (cxr/backbones/names.py), or searched: a network of the search's families"""
    backbone_options: dict[str, Any]
    """passed to timm.create_model; VGG takes pre_logits: false; for searched which search's, or the network itself"""
    weights: Weights | Hub | Literal["searched"] | None
    """null: from scratch; a local file; timm's hub; searched: those that the search trained"""
    mean: float
    """of the grey input in 0..1, subtracted"""
    std: float
    """of the grey input in 0..1, divided by"""
    head: Head
    """what follows the pooled features"""
    trainable: list[str]
    """[all], or [head] and patterns of backbone parameter names; the rest is frozen"""
    loss: Loss
    """asymmetric is bce that minds confident negatives less"""
    class_weights: Literal["none", "balanced"]
    """balanced: rare labels weigh more"""
    label_smoothing: float
    """share of the target spread over all classes (cross_entropy only)"""
    epochs: int
    """at most"""
    batch_size: int
    """images per step"""
    shards: int
    """1: a batch goes through the network whole; k: in k parts, see cxr/training/sharded"""
    optimizer: Optimizer
    """AdamW and its schedule"""
    ema_decay: float
    """0: off; else the decay per step of the averaged weights, which are then the model"""
    early_stopping: EarlyStopping
    """which epoch is kept"""
    augmentation: Augmentation
    """random changes of the training images"""
    mixup: float
    """0: off; else alpha of Beta(alpha, alpha): two images and their labels are blended"""
    frozen_views: int
    """0: frozen layers see every batch anew; n: their features of n views of an image are kept"""
    test_views: int
    """1: an image alone is scored; n: the mean over it and n - 1 augmented views"""
    calibration: Literal["none", "temperature"]
    """temperature: one divides the raw scores, fitted on the calibration images"""

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.shards < 1 or (self.shards > 1 and self.batch_size < 2 * self.shards):
            raise ValueError(
                f"shards must be at least 1, and of {self.batch_size} images a batch (batch_size) at "
                f"most {max(self.batch_size // 2, 1)}, 2 images each, not {self.shards}"
            )
        if self.std <= 0:
            raise ValueError(f"std must be above 0, not {self.std}")
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"ema_decay must be in [0, 1), not {self.ema_decay}")
        if not self.trainable or (self.trainable != ["all"] and "head" not in self.trainable):
            raise ValueError(
                "trainable must be [all], or hold head: a head that is never trained only guesses"
            )
        if self.label_smoothing and self.loss != "cross_entropy":
            raise ValueError(f"label_smoothing goes with loss cross_entropy, not with {self.loss}")
        if self.mixup < 0:
            raise ValueError(f"mixup must be 0 or more, not {self.mixup}")
        if self.frozen_views < 0 or self.test_views < 1:
            raise ValueError(
                f"frozen_views must be at least 0 and test_views at least 1, not "
                f"{self.frozen_views} and {self.test_views}"
            )
        if self.frozen_views and self.trainable == ["all"]:
            raise ValueError("frozen_views keeps features of frozen layers: trainable is [all]")
        if self.frozen_views and self.shards > 1:
            raise ValueError("frozen_views leaves too little to share out: set shards: 1")
        if self.weights == "searched" and self.backbone != "searched":
            raise ValueError(
                f"weights: searched goes with backbone searched, not with {self.backbone}: give "
                "null or {file, sha256}"
            )
