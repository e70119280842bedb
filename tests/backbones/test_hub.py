"""The hub: weights are fetched once and bound to their content; no token, no telemetry, clear words."""

from __future__ import annotations

from collections.abc import Iterator

import huggingface_hub
import pytest

from cxr import artifacts, numerics
from cxr.backbones import hub
from cxr.backbones.weights import file_sha256
from tests.backbones import colour, hub_server

numerics.exact_torch()
NAME = "test_resnet.r160_in1k"


@pytest.fixture
def served(tmp_path, monkeypatch) -> Iterator[tuple[hub_server.Hub, str]]:
    """A hub with timm's smallest ResNet in colour, and the file's sha256."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    huggingface_hub.close_session()  # the next one reads the environment again
    path = tmp_path / "w.safetensors"
    sha256 = colour.write(path, colour.network("test_resnet").state_dict())
    with hub_server.serve({f"timm/{NAME}": path.read_bytes()}) as server:
        yield server, sha256
    huggingface_hub.close_session()


def test_weights_are_fetched_once_and_then_taken_without_asking(served, tmp_path):
    server, sha256 = served
    cache = tmp_path / "cache"
    path = hub.fetch(NAME, sha256=sha256, endpoint=server.endpoint, cache=cache)
    assert path.is_relative_to(cache) and path.suffix == ".safetensors"
    assert file_sha256(path) == sha256
    assert "fc.weight" in artifacts.read_tensors(path)
    assert {method for method, _, _ in server.requests} == {"HEAD", "GET"}
    asked = len(server.requests)
    again = hub.fetch(NAME, sha256=sha256, endpoint=server.endpoint, cache=cache)
    assert again == path
    assert len(server.requests) == asked
    assert hub.fetch(NAME, sha256=sha256, endpoint=hub_server.closed(), cache=cache) == path


def test_the_hub_learns_no_token_and_no_more_than_who_asks_for_the_file(
    served, tmp_path, monkeypatch
):
    server, sha256 = served
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.fetch(NAME, sha256=sha256, endpoint=server.endpoint, cache=tmp_path / "cache")
    assert len(server.requests) >= 2
    for _, path, headers in server.requests:
        assert path.endswith(f"/timm/{NAME}/resolve/main/model.safetensors")
        assert "authorization" not in headers and "hf_secret" not in str(headers)
        assert "torch" not in headers["user-agent"] and "agent/" not in headers["user-agent"]


@pytest.mark.parametrize("wrong", ["0" * 64, ""])
def test_another_content_is_refused_with_the_right_sha256(served, tmp_path, wrong):
    server, sha256 = served
    said = wrong or "none"
    message = f"the hub's {NAME} has sha256 {sha256}, the recipe asks for {said}: "
    with pytest.raises(ValueError, match=message):
        hub.fetch(NAME, sha256=wrong, endpoint=server.endpoint, cache=tmp_path / "cache")


def test_a_damaged_file_in_the_cache_is_fetched_again_once_it_is_deleted(served, tmp_path):
    server, sha256 = served
    where = {"endpoint": server.endpoint, "cache": tmp_path / "cache"}
    path = hub.fetch(NAME, sha256=sha256, **where)
    path.resolve().write_bytes(b"damaged")
    with pytest.raises(ValueError, match=f"if not, delete {path.resolve()}"):
        hub.fetch(NAME, sha256=sha256, **where)
    path.resolve().unlink()
    assert file_sha256(hub.fetch(NAME, sha256=sha256, **where)) == sha256


def said(name: str, endpoint: str, cache) -> str:
    with pytest.raises(ValueError) as caught:
        hub.fetch(name, sha256="0" * 64, endpoint=endpoint, cache=cache)
    return str(caught.value)


def test_without_a_hub_one_line_says_what_was_tried_and_the_cure(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    huggingface_hub.close_session()
    endpoint = hub_server.closed()
    words = said("vgg16.tv_in1k", endpoint, tmp_path)
    assert words.startswith(
        f"can't fetch {endpoint}/timm/vgg16.tv_in1k/resolve/main/model.safetensors (ConnectError: "
    )
    assert words.endswith(
        "fetch model.safetensors from https://huggingface.co/timm/vgg16.tv_in1k elsewhere, and give "
        "it as weights: {file: data/raw/weights/<name>.safetensors, sha256: <of the file>} of "
        "backbone: vgg16.tv_in1k"
    )
    assert "\n" not in words


def test_what_the_hub_lacks_is_said_in_one_line(served, tmp_path):
    server, _ = served
    server.files["timm/resnet18.tv_in1k"] = b""
    for name, kind in (("resnet50.tv_in1k", "Repository"), ("resnet18.tv_in1k", "RemoteEntry")):
        words = said(name, server.endpoint, tmp_path / "cache")
        assert f"timm/{name}/resolve/main/model.safetensors ({kind}NotFoundError: " in words
        assert f"https://huggingface.co/timm/{name} elsewhere" in words
        assert "\n" not in words


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("vgg16", r"lacks the tag of the weights: of vgg16 timm has vgg16\.tv_in1k"),
        ("mobilenetv2_035", "of mobilenetv2_035 timm has none"),
        ("vgg16.nobody", r"unknown weights 'vgg16\.nobody': of vgg16 timm has vgg16\.tv_in1k"),
        ("vgg15.tv_in1k", "unknown backbone"),
        ("gcvit_tiny.in1k", "keeps gcvit_tiny.in1k not on the hub: convert its file elsewhere"),
        ("timm/vgg16.tv_in1k/pytorch_model.bin", "unknown backbone"),
    ],
)
def test_a_name_that_is_none_of_the_hubs_is_refused_before_it_is_asked(name, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        hub.fetch(name, sha256="", endpoint=hub_server.closed(), cache=tmp_path)
