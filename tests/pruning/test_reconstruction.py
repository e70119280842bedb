"""What stays does the work of what goes: exactly where that is possible, no worse than the cut alone elsewhere."""

import copy
import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from cxr import numerics, prepared, seeding
from cxr.backbones import surgery
from cxr.pruning import cutting, parent, reconstruction
from cxr.training import batches, loop, models
from tests.pruning import parents
from tests.pruning.parents import SIZE, network, small

numerics.exact_torch()
RECIPE = small()


def images(number: int = 200) -> np.ndarray:
    rng = seeding.stream(1, "reconstruction")
    return rng.integers(0, 256, size=(number, SIZE, SIZE), dtype=np.uint8)


def shown(number: int = 200) -> torch.Tensor:
    return batches.normalise(images(number), mean=RECIPE.mean, std=RECIPE.std)


def first_layers(reader: nn.Module, *between: nn.Module) -> nn.Sequential:
    """Return a network of six channels, of which 4 is twice channel 1 plus one, and its reader."""
    made = nn.Conv2d(1, 6, 3, padding=1)
    with torch.no_grad():
        made.weight.copy_(
            torch.randn(made.weight.shape, generator=seeding.torch_stream(1, "made")) / 3
        )
        made.weight[4], made.bias[4] = 2 * made.weight[1], 2 * made.bias[1] + 1.0
    whole = nn.Sequential(made, *between, reader, nn.Flatten(), nn.LazyLinear(2)).eval()
    with seeding.torch_global(1, "lazy"), torch.no_grad():
        whole(shown(2))
    return whole


def without(whole: nn.Sequential, gone: list[int], *, refitted: bool) -> nn.Sequential:
    """Return the network without these channels of its first layer."""
    found = copy.deepcopy(whole)
    kept = {"0": [channel for channel in range(6) if channel not in gone]}
    groups = surgery.groups(found, size_px=SIZE, ignored=[found[-1]])
    if refitted:
        lost = reconstruction.lost_inputs(groups, kept)
        reconstruction.refit(found, RECIPE, images(), lost)
    surgery.keep(found, kept, size_px=SIZE, ignored=[found[-1]])
    return found


READERS = {
    "1 x 1": (nn.Conv2d(6, 4, 1),),
    "3 x 3, borders not padded": (nn.Conv2d(6, 4, 3),),
    "linear": (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4)),
    "flattened": (nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 4)),
}


@pytest.mark.parametrize("layers", READERS.values(), ids=READERS)
def test_a_channel_that_others_can_replace_is_not_missed(layers):
    *between, reader = layers
    whole = first_layers(reader, *between)
    with torch.no_grad():
        expected = whole(shown())
        plain, made_up = (without(whole, [4], refitted=x)(shown()) for x in (False, True))
    missed = (plain - expected).abs().max()
    assert (made_up - expected).abs().max() < 0.08 * missed  # not 0: places are few


def test_moments_are_those_of_what_flows():
    with seeding.torch_global(1, "flows"):
        whole = nn.Sequential(nn.Conv2d(1, 5, 3), nn.Conv2d(5, 3, 1))
    seen = reconstruction.moments(whole, RECIPE, images(70), ["1"])["1"]  # 35 + 35 images
    with torch.no_grad():
        flows = whole[0](shown(70)).movedim(1, -1).flatten(0, -2).double().numpy()
    assert 0 < seen.places < len(flows) == 70 * 30 * 30  # neighbours are passed over
    assert np.allclose(seen.mean_C, flows.mean(axis=0), atol=0.05)
    covariance = np.cov(flows.T)
    assert np.allclose(seen.covariance_CC(), covariance, atol=0.05 * covariance.max())


def test_few_places_say_little():
    """Noise of eight places can't be told from a law: the fewer there are, the less is taken up."""
    rng = seeding.stream(1, "places")
    few, many = (reconstruction.Moments(0, np.zeros(6), np.zeros((6, 6))) for _ in range(2))
    few.add(torch.from_numpy(rng.standard_normal((8, 6))))
    many.add(torch.from_numpy(rng.standard_normal((4000, 6))))
    taken = []
    for seen in (few, many):
        raised = np.diag(seen.covariance_CC()) - np.diag(
            seen.products_CC / seen.places - np.outer(seen.mean_C, seen.mean_C)
        )
        taken.append(raised.mean())
    assert taken[0] > 0.4 and taken[1] < 0.01


def test_what_is_lost_of_a_concatenation_and_of_a_flattened_map():
    pair = [
        surgery.Group(
            name=name, channels=2, makers=(name,), depthwise=(), norms=(),
            takers=(("joined", 1), ("flat", 2)), inputs=inputs,
        )
        for name, inputs in (("a", ((0, 1), (0, 1, 2, 3))), ("b", ((2, 3), (4, 5, 6, 7))))
    ]  # fmt: skip
    found = reconstruction.lost_inputs(pair, {"a": [1], "b": [0]})
    assert found == {"joined": [0, 3], "flat": [0, 1, 6, 7]}
    assert reconstruction.lost_inputs(pair, {}) == {}


def test_a_dead_layer_stays_as_it_is():
    whole = nn.Sequential(nn.Conv2d(1, 4, 1, bias=False), nn.Conv2d(4, 2, 1))
    whole[0].weight.data.zero_()
    before = copy.deepcopy(whole.state_dict())
    reconstruction.refit(whole, RECIPE, images(), {"1": [0, 2]})
    assert all(map(torch.equal, whole.state_dict().values(), before.values()))


@pytest.fixture(scope="module")
def fold(tmp_path_factory):
    """A fold of a small parent."""
    folder = tmp_path_factory.mktemp("reconstruction")
    parents.make(folder, folds=1)
    return parents.fold(folder)


def cut_scores(fold: parent.Fold, kept: dict[str, list[int]]) -> torch.Tensor:
    """Return what the carved network says of the images of train."""
    member, pictures = models.load(fold.model, 0), prepared.read(fold.prepared_folder)
    cutting.carve(member.network, member.recipe, kept, pictures, fold)
    return loop.raw_scores(member.network, member.recipe, pictures.gather(fold.train_rows))


def test_a_fold_says_whether_what_stays_is_refitted(fold):
    member, pictures = models.load(fold.model, 0), prepared.read(fold.prepared_folder)
    groups = cutting.groups(member.network, size_px=SIZE)
    kept = {group.name: list(range(0, group.channels, 2)) for group in groups}
    whole = loop.raw_scores(member.network, member.recipe, pictures.gather(fold.train_rows))
    plain = copy.deepcopy(member.network)
    cutting.cut(plain, kept, size_px=SIZE)
    cutting.recalibrate(plain, member.recipe, pictures.gather(fold.recalibration_rows))
    as_cut = loop.raw_scores(plain, member.recipe, pictures.gather(fold.train_rows))
    bare = cut_scores(dataclasses.replace(fold, reconstruct=False), kept)
    refitted = cut_scores(fold, kept)
    assert torch.equal(bare, as_cut)
    assert (refitted - whole).abs().mean() < (bare - whole).abs().mean()
    assert torch.equal(refitted, cut_scores(fold, kept))


def test_measuring_leaves_no_hook_and_moves_no_weight():
    whole = network(RECIPE)
    before = copy.deepcopy(whole.state_dict())
    names = [name for name, layer in whole.named_modules() if isinstance(layer, nn.Linear)]
    assert set(reconstruction.moments(whole, RECIPE, images(), names)) == set(names)
    assert not any(layer._forward_pre_hooks for layer in whole.modules())
    assert all(map(torch.equal, whole.state_dict().values(), before.values()))
