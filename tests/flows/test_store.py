"""Objects are read and held against their names, on both sides, and brought to the one that lacks them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace as Fake

import pytest

from flows import pipeline, store
from tests.flows import deployed, toy

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

MODEL, EXPORT = "data/models/right", "data/exported/right"
FILES = [f"{EXPORT}/maps/about.txt", f"{EXPORT}/model.onnx", f"{MODEL}/weights.txt"]


def contents(clone: Path) -> dict[str, str]:
    with store.opened(clone) as kept:
        return kept.contents(store.outputs(clone))


def place(folder: Path, md5: str) -> Path:
    return folder / "files/md5" / md5[:2] / md5[2:]


def damage(path: Path) -> None:
    """Flip a bit of the last byte."""
    content = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def test_outputs_and_contents_are_those_of_lock_and_listings(clone: Path) -> None:
    lock = pipeline.read_lock(clone)
    md5s = {out["path"]: out["md5"] for entry in lock.values() for out in entry["outs"]}
    assert store.outputs(clone) == md5s and sorted(md5s) == [EXPORT, MODEL]
    found = contents(clone)
    assert sorted(found) == sorted([*md5s, *FILES])
    assert found[f"{MODEL}/weights.txt"] == pipeline.tree(clone, MODEL)["weights.txt"]


def test_what_is_whole_has_no_faults_on_one_side_or_both(clone: Path) -> None:
    found = contents(clone)
    with store.opened(clone) as kept:
        assert kept.faults(found) == []
        kept.complete(found)
        assert sorted(found.values()) == sorted(deployed.stored(clone))
        for md5 in found.values():
            place(clone / ".dvc/cache", md5).unlink()
        assert kept.faults(found) == []
        assert kept.contents(store.outputs(clone)) == found


def test_raw_data_that_dvc_overlooks_are_named(clone: Path) -> None:
    folder = deployed.worktree(clone)
    store.share(folder, of=clone)
    (folder / "data/raw/table").mkdir(parents=True)
    (folder / "data/raw/table/labels.csv").write_text("image,label")
    pipeline.add("data/raw/table", folder)
    assert sorted(store.outputs(folder)) == [EXPORT, MODEL]  # not git's yet
    deployed.git(folder, "add", "-A")
    assert sorted(store.outputs(folder)) == [EXPORT, MODEL, "data/raw/table"]
    with store.opened(folder) as kept:
        found = kept.contents(store.outputs(folder))
        kept.complete(found)
    assert found["data/raw/table/labels.csv"] in deployed.stored(clone)


@pytest.mark.parametrize("side", ["cache", "remote"])
def test_a_flipped_bit_is_found_and_the_file_named(clone: Path, side: str) -> None:
    found = contents(clone)
    path = f"{EXPORT}/model.onnx"
    with store.opened(clone) as kept:
        kept.complete(found)
        folder = clone / ".dvc/cache" if side == "cache" else clone.parent / "storage"
        damage(place(folder, found[path]))
        (line,) = kept.faults(found)
        assert line.startswith(
            f"{path} is damaged: {place(folder, found[path]).resolve()} holds other"
        )
        target = clone.parent / "model.onnx"
        kept.bring(path, found[path], target)  # from the other side
        assert target.read_bytes() == (clone / path).read_bytes()
        other = clone.parent / "storage" if side == "cache" else clone / ".dvc/cache"
        damage(place(other, found[path]))
        with pytest.raises(ValueError, match=r"(model\.onnx is damaged(.|\n)*){2}"):
            kept.bring(path, found[path], target)


@pytest.mark.parametrize("how", ["gone", "damaged"])
def test_a_folder_whose_list_is_gone_or_damaged_is_named(clone: Path, how: str) -> None:
    md5 = store.outputs(clone)[MODEL]
    path = place(clone / ".dvc/cache", md5)
    damage(path) if how == "damaged" else path.unlink()
    words = "is damaged" if how == "damaged" else r"is neither in the cache nor on the remote"
    with store.opened(clone) as kept, pytest.raises(ValueError, match=rf"{MODEL} .*{words}"):
        kept.contents(store.outputs(clone))


def test_what_neither_side_has_is_told_and_nothing_is_brought(clone: Path) -> None:
    found = contents(clone)
    weights = found[f"{MODEL}/weights.txt"]
    place(clone / ".dvc/cache", weights).unlink()
    with store.opened(clone) as kept:
        with pytest.raises(ValueError, match=rf"1 objects .* {MODEL}/weights\.txt \({weights}\): "):
            kept.complete(found)
        assert kept.faults(found) == [
            f"{MODEL}/weights.txt ({weights}) is neither in the cache nor on the remote"
        ]
    assert deployed.stored(clone) == {}


def test_push_brings_all_and_what_the_remote_lost_behind_dvcs_back_comes_again(clone: Path) -> None:
    found = contents(clone)
    store.push(clone)
    assert sorted(deployed.stored(clone)) == sorted(found.values())
    assert sorted((clone.parent / "storage").iterdir())[-1].name == "runs"
    lost = place(clone.parent / "storage", found[f"{EXPORT}/model.onnx"])
    lost.unlink()
    store.push(clone)
    assert not lost.exists()  # DVC sees the folder's list and believes it
    with store.opened(clone) as kept:
        kept.complete(found)
    assert lost.read_bytes() == (clone / EXPORT / "model.onnx").read_bytes()


def test_an_upload_that_fails_is_worth_a_retry_and_says_why(clone: Path) -> None:
    (clone.parent / "storage").rmdir()
    (clone.parent / "storage").write_text("a file in the way")
    with pytest.raises(pipeline.Unreachable, match=r"`dvc push`: .*storage"):
        store.push(clone)


def test_a_storage_that_cannot_be_read_is_worth_a_retry(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = contents(clone)
    with store.opened(clone) as kept:

        def broken(*words: object, **options: object) -> None:
            raise OSError("Stale file handle")

        monkeypatch.setattr(kept.remote.odb.fs, "open", broken)
        with pytest.raises(pipeline.Unreachable, match=r"remote 'storage' .* Stale file handle"):
            kept.faults(found)


def test_a_worktree_means_the_same_folder_though_the_address_is_relative(clone: Path) -> None:
    folder = deployed.worktree(clone)
    with store.opened(clone) as kept, pytest.raises(ValueError, match=r"worktrees/storage, which is not"):  # fmt: skip
        store.check(folder)
    store.share(folder, of=clone)
    store.check(folder)
    with store.opened(folder) as other:
        assert other.remote.path("0" * 32) == kept.remote.path("0" * 32)
        assert other.cache.path("0" * 32) == kept.cache.path("0" * 32)
    before = (folder / ".dvc/config.local").read_bytes()
    store.share(folder, of=clone)
    assert (folder / ".dvc/config.local").read_bytes() == before
    assert toy.git(folder, "status", "--porcelain").split() == ["M", "dvc.lock", "M", "params.yaml"]


def test_a_kind_of_storage_that_is_not_installed_is_named(clone: Path) -> None:
    config = (clone / ".dvc/config").read_text().replace("../../storage", "gs://bucket")
    (clone / ".dvc/config").write_text(config)
    with pytest.raises(pipeline.Failed, match="requires 'dvc-gs' to be installed"):
        store.check(clone)


def test_a_storage_that_keeps_files_by_their_names_is_refused() -> None:
    remote = Fake(worktree=False, fs=Fake(version_aware=True, protocol="s3"))
    config = {"core": {"remote": "storage"}, "remote": {"storage": {"url": "s3://bucket"}}}
    repo = Fake(config=config, cloud=Fake(get_remote=lambda name: remote))
    with pytest.raises(ValueError, match=r"'storage' keeps files by their names: .* by hash"):
        store._remote(repo)
