"""A section of params.yaml is exactly the stage's dataclass, or every fault is told at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from cxr import params


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    learning_rate: float
    warmup_epochs: int

    def __post_init__(self) -> None:
        if self.warmup_epochs < 0:
            raise ValueError(f"warmup_epochs must be at least 0, not {self.warmup_epochs}")


@dataclass(frozen=True, kw_only=True)
class Params:
    name: str
    flip: bool
    kind: Literal["linear", "mlp", 1]
    hidden: list[int]
    scale: tuple[float, float]
    sizes: tuple[int, ...]
    fractions: dict[str, float]
    weights: Optimizer | None
    mixed: int | str | None
    optimizer: Optimizer
    anything: Any


GOOD: dict[str, Any] = {
    "name": "a",
    "flip": False,
    "kind": "mlp",
    "hidden": [1, 2],
    "scale": [1, 2.5],
    "sizes": [1, 2, 3],
    "fractions": {"train": 0.5},
    "weights": None,
    "mixed": "two",
    "optimizer": {"learning_rate": 1, "warmup_epochs": 2},
    "anything": {"goes": [None]},
}


def build(**changes: Any) -> Params:
    return params.build(Params, {**GOOD, **changes}, where="p")


def test_a_good_section_becomes_the_dataclass() -> None:
    made = build()
    assert made == Params(
        **{
            **GOOD,
            "scale": (1.0, 2.5),
            "sizes": (1, 2, 3),
            "optimizer": Optimizer(learning_rate=1.0, warmup_epochs=2),
        }
    )
    assert [type(x) for x in (made.hidden, made.sizes, made.optimizer.learning_rate)] == [
        *(list, tuple, float)
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": 1}, "p.name must be str, not 1"),
        ({"name": None}, "p.name must be str, not None"),
        ({"flip": 0}, "p.flip must be bool, not 0"),
        ({"flip": "yes"}, "p.flip must be bool, not 'yes'"),
        ({"kind": "conv"}, "p.kind must be one of 'linear', 'mlp', 1, not 'conv'"),
        ({"kind": True}, "p.kind must be one of 'linear', 'mlp', 1, not True"),
        ({"hidden": 3}, "p.hidden must be list[int], not 3"),
        ({"hidden": [1, True]}, "p.hidden[1] must be int, not True"),
        ({"hidden": [1, 2.0]}, "p.hidden[1] must be int, not 2.0"),
        ({"hidden": "12"}, "p.hidden must be list[int], not '12'"),
        ({"scale": [1.0]}, "p.scale must be tuple[float, float], not [1.0]"),
        ({"scale": [1.0, "2"]}, "p.scale[1] must be float (finite), not '2'"),
        ({"sizes": [1, None]}, "p.sizes[1] must be int, not None"),
        ({"fractions": []}, "p.fractions must be dict[str, float], not []"),
        ({"fractions": {"train": "half"}}, "p.fractions.train must be float (finite), not 'half'"),
        ({"fractions": {"train": True}}, "p.fractions.train must be float (finite), not True"),
        ({"fractions": {"train": float("nan")}}, "p.fractions.train must be float (finite), not nan"),
        ({"fractions": {"train": float("inf")}}, "p.fractions.train must be float (finite), not inf"),
        ({"fractions": {1: 0.5}}, "p.fractions: the key 1 must be str, not 1"),
        ({"weights": 3}, "p.weights must be a mapping, not 3"),
        ({"weights": {"warmup_epochs": 1}}, "p.weights.learning_rate is missing: expected float (finite)"),
        ({"mixed": 1.5}, "p.mixed must be int or str or null, not 1.5"),
        ({"optimizer": None}, "p.optimizer must be a mapping, not None"),
        (
            {"optimizer": {"learning_rate": 1, "warmup_epochs": -1}},
            "p.optimizer: warmup_epochs must be at least 0, not -1",
        ),
        (
            {"colour": "red"},
            "p.colour is unknown: known are name, flip, kind, hidden, scale, sizes, fractions, "
            "weights, mixed, optimizer, anything",
        ),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_place(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as raised:
        build(**change)
    assert str(raised.value) == message


def test_all_faults_are_told_at_once() -> None:
    tree = {**GOOD, "flip": 3, "extra": 1, "optimizer": {"warmup_epochs": "two"}}
    del tree["name"]
    with pytest.raises(ValueError) as raised:
        params.build(Params, tree, where="p")
    lines = str(raised.value).splitlines()
    assert [line.split()[0] for line in lines] == [
        *("p.extra", "p.name", "p.flip", "p.optimizer.learning_rate", "p.optimizer.warmup_epochs")
    ]


def test_the_first_type_that_takes_the_value_is_taken() -> None:
    assert build(mixed=3).mixed == 3
    assert build(mixed="3").mixed == "3"
    assert build(weights={"learning_rate": 1.0, "warmup_epochs": 0}).weights == Optimizer(
        learning_rate=1.0, warmup_epochs=0
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "params.yaml"
    path.write_text(
        "seed: 7\n"
        "train:\n"
        "  optimizer: {learning_rate: 1e-3, warmup_epochs: 0}  # YAML 1.2, as DVC reads it\n"
        "  country: no\n"
    )
    return path


def test_a_section_is_read_from_the_file(file: Path) -> None:
    optimizer = params.load(Optimizer, "train.optimizer", path=file)
    assert optimizer == Optimizer(learning_rate=0.001, warmup_epochs=0)
    assert params.value("train.country", path=file) == "no"
    assert params.seed(path=file) == 7


def test_a_fault_names_the_file(file: Path) -> None:
    with pytest.raises(ValueError, match=r"params\.yaml: train\.optimizer\.name is missing"):
        params.load(Params, "train.optimizer", path=file)


@pytest.mark.parametrize("section", ["prune", "train.head", "train.country.x"])
def test_a_missing_section_is_named(file: Path, section: str) -> None:
    with pytest.raises(ValueError, match=f"params.yaml: {section} is missing .*not among"):
        params.value(section, path=file)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: word\n", "seed must be int, not 'word'"),
        ("seed: true\n", "seed must be int, not True"),
        ("seed: 1.0\n", "seed must be int, not 1.0"),
        ("other: 1\n", "seed is missing"),
        ("seed: [1\n", "is not valid YAML"),
        ("seed: 1\nseed: 2\n", "is not valid YAML"),
        ("- seed\n", "must hold a mapping, not list"),
        ("", "must hold a mapping, not NoneType"),
        ("seed: !!python/object/apply:os.getcwd []\n", "is not valid YAML"),
        ("seed: \udcff\n", "is not valid YAML"),
    ],
)
def test_a_faulty_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ValueError) as raised:
        params.seed(path=path)
    assert str(path) in str(raised.value)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_file_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"params\.yaml is missing: run `make study"):
        params.seed(path=tmp_path / "params.yaml")


def test_a_mapping_that_can_only_be_one_record_tells_that_records_faults() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Choice:
        weights: Optimizer | Literal["searched"] | None

    found = params.build(Choice, {"weights": "searched"}, where="p")
    assert found.weights == "searched"
    with pytest.raises(ValueError, match=r"^p\.weights\.warmup_epochs is missing: expected int$"):
        params.build(Choice, {"weights": {"learning_rate": 1}}, where="p")
    with pytest.raises(ValueError, match=r"p\.weights must be a mapping or one of 'searched'"):
        params.build(Choice, {"weights": 3}, where="p")


def test_a_hint_is_none_where_nothing_stands(tmp_path):
    path = tmp_path / "params.yaml"
    assert params.hint("a.b", path=path) is None
    path.write_text("a: {b: [1]}\n")
    assert params.hint("a.b", path=path) == [1] and params.hint("a.c", path=path) is None
