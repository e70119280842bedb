"""Composition of params.yaml: what merges, what replaces, what is refused, and that it is canonical."""

from __future__ import annotations

from pathlib import Path

import pytest

from cxr import params
from flows import study

DEFAULTS = """\
# words for people
seed: 5 # the seed

preprocess:
  steps: # in this order
    - {name: resize, size_px: 96}

validate:
  accepted: {} # finding: reason

models: [] # what is compared

search:
  runs: [] # which to run
  recipes:
    "*":
      widths: [8, 16] # channels of a stage
      training: # of one candidate
        epochs: 2 # all of them
        optimizer: {rate: 0.1, decay: 0.2} # its speed
        augmentation: # longer than a line
          some_word_that_is_long_enough_to_need_a_line_of_its_own: 0.1 # the first
          another_word_that_is_long_enough_to_need_a_line_of_its_own: 0.2 # the second

transfer:
  runs: []
  searched: [] # runs of which a search made the network
  recipes:
    "*":
      backbone: small # a timm name
      options: {}
      weights: null # or {file, sha256}
      head: {kind: linear, dropout: 0.2} # what follows

export:
  models: []
"""


@pytest.fixture
def compose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function that writes a study `demo` and composes it."""
    monkeypatch.chdir(tmp_path)
    Path("studies/demo").mkdir(parents=True)
    Path("studies/defaults.yaml").write_text(DEFAULTS)

    def write(text: str) -> dict:
        Path("studies/demo/study.yaml").write_text(text)
        return study.compose("demo")

    return write


RUNS = "transfer: {runs: [a], recipes: {a: {}}}\n"


def test_an_empty_study_is_the_defaults(compose):
    tree = compose("")
    assert tree == {
        "study": "demo",
        "seed": 5,
        "preprocess": {"steps": [{"name": "resize", "size_px": 96}]},
        "validate": {"accepted": {}},
        "models": [],
        "search": {"runs": [], "recipes": {}},
        "transfer": {"runs": [], "searched": [], "recipes": {}},
        "export": {"models": []},
    }


def test_mappings_merge_and_lists_replace(compose):
    tree = compose("preprocess: {steps: [{name: clahe}]}\nvalidate: {accepted: {blur: known}}\n")
    assert tree["preprocess"]["steps"] == [{"name": "clahe"}]
    assert tree["validate"]["accepted"] == {"blur": "known"}
    assert tree["seed"] == 5


def test_a_recipe_starts_from_both_stars(compose):
    tree = compose(
        "transfer:\n  runs: [a, b]\n  recipes:\n    '*': {backbone: big}\n"
        "    a: {head: {dropout: 0.5}}\n    b: {backbone: tiny}\n    c: {}\n"
    )
    recipes = tree["transfer"]["recipes"]
    assert list(recipes) == ["a", "b"]  # neither "*" nor the recipe that no run names
    assert recipes["a"]["backbone"] == "big"
    assert recipes["a"]["head"] == {"kind": "linear", "dropout": 0.5}
    assert recipes["b"]["backbone"] == "tiny"


def test_both_lists_name_recipes_in_their_order(compose):
    tree = compose(
        "transfer: {runs: [c, a], searched: [b], recipes: {a: {}, b: {}, c: {}, d: {}}}\n"
    )
    assert list(tree["transfer"]["recipes"]) == ["c", "a", "b"]


PRUNING = """\

prune:
  runs: []
  recipes:
    "*": {share: 0.5}

finish:
  cuts: []
  recipes:
    "*": {epochs: 8}
"""


def test_what_is_pruned_names_the_recipes_of_finish(compose):
    Path("studies/defaults.yaml").write_text(DEFAULTS + PRUNING)
    prune = "prune: {runs: [b], recipes: {b: {}}}\n"
    recipes = "recipes: {a: {}, b: {epochs: 3}}"
    tree = compose(f"{prune}finish: {{cuts: [uniform_50], {recipes}}}\n")
    assert tree["finish"] == {"cuts": ["uniform_50"], "recipes": {"b": {"epochs": 3}}}
    for nothing in ("", f"finish: {{{recipes}}}\n"):  # what is not finished needs no recipe
        assert compose(prune + nothing)["finish"] == {"cuts": [], "recipes": {}}
    words = r"prune\.runs names 'b', but finish\.recipes\.b is missing: add it"
    with pytest.raises(ValueError, match=words):
        compose(f"{prune}finish: {{cuts: [uniform_50]}}\n")
    with pytest.raises(ValueError, match=r"prune\.runs must be a list of names, not 'b'") as told:
        compose("prune: {runs: b}\nfinish: {cuts: [uniform_50]}\n")
    assert len(str(told.value).splitlines()) == 1


def test_lists_of_models_are_plain_lists(compose):
    tree = compose("models: [a, a-pruned_50]\nexport: {models: [a-pruned_50]}\n")
    assert tree["models"] == ["a", "a-pruned_50"]
    assert tree["export"]["models"] == ["a-pruned_50"]
    assert "\nmodels: [a, a-pruned_50] # what is compared\n\nsearch:\n" in study.text("demo")


def test_a_nested_recipe_merges_and_keeps_the_comments_of_the_star(compose):
    tree = compose(
        "search:\n  runs: [s]\n  recipes:\n    '*': {training: {epochs: 3}}\n"
        "    s: {widths: [4], training: {optimizer: {decay: 0.5}}}\n"
    )
    training = tree["search"]["recipes"]["s"]["training"]
    assert training["optimizer"] == {"rate": 0.1, "decay": 0.5}
    assert training["epochs"] == 3
    lines = study.text("demo").splitlines()
    start = lines.index("    s:")
    assert lines[start + 1 : start + 8] == [
        "      widths: [4] # channels of a stage",
        "      training: # of one candidate",
        "        epochs: 3 # all of them",
        "        optimizer: {rate: 0.1, decay: 0.5} # its speed",
        "        augmentation: # longer than a line",
        "          some_word_that_is_long_enough_to_need_a_line_of_its_own: 0.1 # the first",
        "          another_word_that_is_long_enough_to_need_a_line_of_its_own: 0.2 # the second",
    ]
    assert study.parse(study.text("demo")) == tree


def test_a_mapping_takes_the_place_of_null(compose):
    tree = compose("transfer: {runs: [a], recipes: {a: {weights: {file: x, sha256: y}}}}\n")
    assert tree["transfer"]["recipes"]["a"]["weights"] == {"file": "x", "sha256": "y"}


def test_a_mapping_that_the_defaults_leave_empty_is_replaced_whole(compose):
    tree = compose(
        "transfer:\n  runs: [a, b, c]\n  recipes:\n"
        "    '*': {options: {width: 2}, weights: {file: x, sha256: y}}\n"
        "    a: {options: {depth: 1}, weights: null}\n    b: {options: {}, weights: word}\n    c: {}\n"
    )
    recipes = tree["transfer"]["recipes"]
    assert [recipes[name]["options"] for name in "abc"] == [{"depth": 1}, {}, {"width": 2}]
    assert [recipes[name]["weights"] for name in "ab"] == [None, "word"]
    assert recipes["c"]["weights"] == {"file": "x", "sha256": "y"}
    with pytest.raises(ValueError, match=r"recipes\.a\.options must be a mapping, not 3"):
        compose("transfer: {runs: [a], recipes: {a: {options: 3}}}\n")


def test_about_is_for_people(compose):
    assert "about" not in compose("about: words\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sead: 1\n", "sead is unknown: known are seed, preprocess"),
        ("preprocess: {step: []}\n", "preprocess.step is unknown: known are steps"),
        ("preprocess: 3\n", "preprocess must be a mapping, not 3"),
        ("transfer: {runs: [a], recipes: {a: {lr: 1}}}\n", "transfer.recipes.a.lr is unknown"),
        ("transfer: {recipes: {'*': {lr: 1}}}\n", r"transfer.recipes.\*.lr is unknown"),
        ("transfer: {runs: [b], recipes: {a: {}}}\n", "transfer.runs names 'b', but"),
        ("transfer: {runs: b}\n", "transfer.runs must be a list of names, not 'b'"),
        ("transfer: {searched: [b], recipes: {a: {}}}\n", "transfer.searched names 'b', but"),
        (
            "transfer: {runs: [a], searched: [a], recipes: {a: {}}}\n",
            "'a' stands in transfer.runs and in transfer.searched: keep it in one",
        ),
        ("search: {recipes: {'*': {training: {epoch: 1}}}}\n", "training.epoch is unknown"),
        ("- 1\n", "must hold a mapping, not list"),
        ("a: [\n", "is not valid YAML"),
    ],
)
def test_faults_are_named(compose, text, words):
    with pytest.raises(ValueError, match=words):
        compose(text)


def test_every_fault_is_listed(compose):
    with pytest.raises(ValueError, match=r"(?s)sead is unknown.*step is unknown"):
        compose("sead: 1\npreprocess: {step: []}\n")


def test_an_unknown_study_lists_the_known(compose):
    compose("")
    with pytest.raises(ValueError, match="unknown study 'demmo': known are demo"):
        study.compose("demmo")


def test_text_reads_back_as_composed_and_keeps_comments(compose):
    tree = compose(RUNS)
    text = study.text("demo")
    assert study.parse(text) == tree
    assert "seed: 5 # the seed\n" in text
    assert "      backbone: small # a timm name\n" in text
    assert "      head: {kind: linear, dropout: 0.2} # what follows\n" in text
    assert "      weights: null # or {file, sha256}\n" in text
    assert '"*"' not in text


def test_stages_read_what_was_written(compose):
    compose(RUNS)
    study.write("demo")
    assert params.value("transfer.recipes.a.head.dropout") == 0.2
    assert params.seed() == 5


def test_writing_twice_changes_nothing(compose):
    compose(RUNS)
    assert study.write("demo") == ["params.yaml: new, study demo"]
    before = Path("params.yaml").stat()
    assert study.write("demo") == []
    assert Path("params.yaml").stat().st_mtime_ns == before.st_mtime_ns
    assert not list(Path(".").glob(".*.partial"))


def test_changes_are_said_key_by_key(compose):
    compose(RUNS)
    study.write("demo")
    compose("seed: 6\ntransfer: {runs: [b], recipes: {b: {}}}\n")
    lines = study.write("demo")
    assert lines[:2] == ["seed: 5 → 6", "transfer.runs: [a] → [b]"]
    assert lines[2].startswith("transfer.recipes.b: new, {backbone: small,")
    assert lines[3].endswith(", gone")
    assert len(lines) == 4


def test_a_change_of_type_is_a_change():
    assert study.changes({"a": 1}, {"a": 1.0}) == ["a: 1 → 1.0"]
    assert study.changes({"a": 1}, {"a": True}) == ["a: 1 → true"]
    assert study.changes({"a": None}, {"a": {"b": 1}}) == ["a: null → {b: 1}"]
    assert study.changes({"a": {"b": 1, "c": 2}}, {"a": {"b": 3, "c": 2}}) == ["a.b: 1 → 3"]


@pytest.mark.parametrize("name", study.known())
def test_studies_compose(name):
    assert study.parse(study.text(name)) == study.compose(name)


BASE = """\
about: as published
preprocess: {steps: [{name: blur}]}
validate: {accepted: {blur: known}}
transfer:
  runs: [a]
  recipes:
    '*': {backbone: big, options: {depth: 3}}
    a: {head: {dropout: 0.5}}
"""


def test_a_study_starts_from_its_base(compose):
    Path("studies/published").mkdir()
    Path("studies/published/study.yaml").write_text(BASE)
    tree = compose(
        "about: the honest one\nbase: published\nvalidate: {accepted: {dark: seen}}\n"
        "transfer: {recipes: {'*': {options: {width: 2}}, a: {head: {kind: mlp}}, b: {}}, runs: [a, b]}\n"
    )
    assert tree["preprocess"]["steps"] == [{"name": "blur"}]
    assert tree["validate"]["accepted"] == {"dark": "seen"}  # its keys belong together
    recipes = tree["transfer"]["recipes"]
    assert recipes["a"]["head"] == {"kind": "mlp", "dropout": 0.5}
    assert recipes["b"] == {**recipes["a"], "head": {"kind": "linear", "dropout": 0.2}}
    assert recipes["b"]["options"] == {"width": 2} and recipes["b"]["backbone"] == "big"
    assert study.compose("published")["transfer"]["runs"] == ["a"]
    assert compose("base: published\n") == {**study.compose("published"), "study": "demo"}


@pytest.mark.parametrize(
    ("base", "words"),
    [
        ("elsewhere", "studies/demo/study.yaml: base 'elsewhere' is no other study: known are middle"),
        ("demo", "base 'demo' is no other study: known are middle, published"),
        ("middle", "base middle has a base itself: name published here"),
    ],
)  # fmt: skip
def test_a_base_is_another_study_without_a_base(compose, base, words):
    for name, text in (("published", BASE), ("middle", "base: published\n")):
        Path("studies", name).mkdir()
        Path("studies", name, "study.yaml").write_text(text)
    with pytest.raises(ValueError, match=words):
        compose(f"base: {base}\n")


PINNABLE = DEFAULTS.replace(
    "accepted: {} # finding: reason", "accepted: {}\n  arrival: null # or its folder"
)
PINNABLE += """
split:
  assignments: null # {file, sha256}
  frozen: [test] # parts
  folds: 1
"""


@pytest.fixture
def pinnable(compose):
    """Return `compose` where the defaults have what can be pinned."""
    Path("studies/defaults.yaml").write_text(PINNABLE)
    return compose


def test_pins_go_before_what_the_study_says(pinnable):
    pinnable("split: {frozen: [], folds: 3}\nvalidate: {accepted: {blur: known}}\n")
    bound = {"file": "studies/demo/assignments.csv", "sha256": "0" * 64}
    assert study.pin("demo", {"split.frozen": ["test", "val"], "split.assignments": bound}) == [
        "params.yaml: new, study demo"
    ]
    assert study.pin("demo", {"validate.arrival": "table/2027-03"}) == [
        "validate.arrival: null → table/2027-03"
    ]
    assert study.compose("demo")["split"] == {
        "assignments": bound, "frozen": ["test", "val"], "folds": 3
    }  # fmt: skip
    assert study.compose("demo")["validate"] == {
        "accepted": {"blur": "known"}, "arrival": "table/2027-03"
    }  # fmt: skip
    text = Path("studies/demo/pinned.yaml").read_text()
    assert text.startswith("# Written by machines")
    assert study.parse(text) == {
        "split": {"assignments": bound, "frozen": ["test", "val"]},
        "validate": {"arrival": "table/2027-03"},
    }


def test_the_same_pins_give_the_same_bytes_and_params_yaml_names_them(pinnable):
    pinnable("")
    study.write("demo")
    assert study.PINNED not in Path("params.yaml").read_text()
    contents = []
    for _ in range(2):
        study.pin("demo", {"validate.arrival": "table/1"})
        contents.append(Path("studies/demo/pinned.yaml").read_bytes())
    assert contents[0] == contents[1]
    assert "before which goes studies/demo/pinned.yaml. Change" in Path("params.yaml").read_text()
    assert study.write("demo") == []


@pytest.mark.parametrize(
    ("text", "strange"),
    [
        ("split: {frozen: [test], folds: 5}\n", "split.folds"),
        ("seed: 6\n", "seed"),
        ("split: null\n", "split"),
        ("base: other\nabout: words\n", "base, about"),
    ],
)
def test_pinned_yaml_says_nothing_but_pins(pinnable, text, strange):
    Path("studies/demo/pinned.yaml").write_text(text)
    words = f"studies/demo/pinned.yaml says {strange}, but it is for machines and holds validate"
    with pytest.raises(ValueError, match=words):
        pinnable("")


def test_an_unknown_pin_is_refused_and_nothing_is_written(pinnable):
    pinnable("")
    with pytest.raises(ValueError, match=r"'seed' can't be pinned: only validate\.arrival, split"):
        study.pin("demo", {"seed": 3})
    assert not Path("studies/demo/pinned.yaml").exists()


def test_a_base_keeps_its_pins(pinnable):
    pinnable("")
    study.pin("demo", {"validate.arrival": "table/1"})
    Path("studies/other").mkdir()
    Path("studies/other/study.yaml").write_text("base: demo\n")
    assert study.compose("other")["validate"]["arrival"] is None


def test_studies_of_another_checkout_are_composed_and_written_there(
    pinnable, tmp_path, monkeypatch
):
    pinnable("seed: 9\n")
    here = tmp_path / "elsewhere"
    here.mkdir()
    monkeypatch.chdir(here)
    assert study.known(tmp_path) == ["demo"] and study.known() == []
    study.pin("demo", {"validate.arrival": "table/1"}, root=tmp_path)
    assert study.parse((tmp_path / "params.yaml").read_text()) == study.compose(
        "demo", root=tmp_path
    )
    assert not list(here.iterdir())
