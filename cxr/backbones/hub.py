"""Weights of timm's networks from the Hugging Face hub: fetched once, kept in the user's own cache.

Only model.safetensors is asked for, never a pickle; no token and no telemetry is sent; nothing is
written into the project. Sources: https://huggingface.co/docs/huggingface_hub/guides/download,
https://huggingface.co/docs/timm/hf_hub.
"""

from __future__ import annotations

from pathlib import Path

import huggingface_hub
import timm
from huggingface_hub import constants, errors

from cxr import progress
from cxr.backbones import names
from cxr.backbones.weights import file_sha256

FILE = "model.safetensors"
PAGE = "https://huggingface.co"
# The environment variables of these names count only while huggingface_hub is imported, which timm
# does. Xet is another way to the same bytes: without it, all goes by plain HTTP, which is tested.
constants.HF_HUB_DISABLE_TELEMETRY = True
constants.HF_HUB_DISABLE_XET = True


def fetch(
    name: str, *, sha256: str, endpoint: str | None = None, cache: Path | None = None
) -> Path:
    """Return the path of timm's weights `name`, e.g. vgg16.tv_in1k, fetched if they are not cached.

    What is cached and has the wanted `sha256` is taken without asking the hub. `endpoint` is the
    hub's address and `cache` its folder on this machine (None: HF_ENDPOINT and HF_HUB_CACHE, see
    huggingface_hub). Raises ValueError for a name that timm does not know, for weights that can't be
    had, with what was tried and the cure, and for another content, with the right sha256.
    """
    repository = _repository(name)
    kept = huggingface_hub.try_to_load_from_cache(repository, FILE, cache_dir=cache)
    if isinstance(kept, str) and file_sha256(Path(kept)) == sha256:
        return Path(kept)
    path = _download(name, repository, endpoint=endpoint, cache=cache, kept=isinstance(kept, str))
    found = file_sha256(path)
    if found != sha256:
        raise ValueError(
            f"the hub's {name} has sha256 {found}, the recipe asks for {sha256 or 'none'}: if it is "
            f"what you mean, write the one that it has; if not, delete {path.resolve()}"
        )
    return path


def _repository(name: str) -> str:
    known = names.timm_name(name)
    if "." not in known:
        tags = ", ".join(timm.list_pretrained(f"{known}.*")) or "none"
        raise ValueError(f"hub: {name} lacks the tag of the weights: of {known} timm has {tags}")
    config = timm.get_pretrained_cfg(known)
    if config is None or not config.hf_hub_id:
        raise ValueError(
            f"timm keeps {known} not on the hub: convert its file elsewhere and give it as weights: "
            "{file: data/raw/weights/<name>.safetensors, sha256: <of the file>}"
        )
    return str(config.hf_hub_id)


def _download(
    name: str, repository: str, *, endpoint: str | None, cache: Path | None, kept: bool
) -> Path:
    url = huggingface_hub.hf_hub_url(repository, FILE, endpoint=endpoint)
    progress.say(f"weights: {url}")
    try:
        if not kept:  # fails at once where hf_hub_download tries on for half a minute
            huggingface_hub.get_hf_file_metadata(url, token=False)
        path = huggingface_hub.hf_hub_download(
            repository, FILE, token=False, endpoint=endpoint, cache_dir=cache
        )
    except (OSError, errors.HTTPError) as error:  # HTTPError: of the HTTP library, no OSError
        reason = str(error).strip().split("\n")[0]
        raise ValueError(
            f"can't fetch {url} ({type(error).__name__}: {reason}): fetch {FILE} from "
            f"{PAGE}/{repository} elsewhere, and give it as weights: "
            "{file: data/raw/weights/<name>.safetensors, sha256: <of the file>} of backbone: "
            + names.timm_name(name)
        ) from None
    return Path(path)
