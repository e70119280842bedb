"""The contract of every criterion in cxr/pruning/criteria, and what each one looks at."""

import copy

import numpy as np
import pytest
import torch

from cxr import numerics, plugins, seeding
from cxr.backbones import surgery
from cxr.pruning import cutting, evidence
from cxr.pruning.criteria import (
    bn_scale,
    fpgm,
    l1_norm,
    l2_norm,
    random,
    reconstruction,
    taylor,
)  # fmt: skip
from cxr.pruning.reconstruction import Moments
from cxr.training.loop import Part
from tests.pruning.parents import SIZE, network, small
from tests.training.recipes import tiny

numerics.exact_torch()
NAMES = plugins.names("pruning/criteria")
RECIPES = [
    small(),
    tiny(),
    small(head={"kind": "mlp", "hidden": [32], "dropout": 0.0}),
    tiny(backbone="regnetx_002"),
]
NOTHING = evidence.Evidence(seed=1, fold=0, taylor={})
LAYER, TIED = "backbone.layer2.0.conv1", "backbone.layer2.0.conv2"


def gather(parent, recipe):
    rng = seeding.stream(1, "criteria")
    pixels = rng.integers(0, 256, size=(12, SIZE, SIZE)).astype(np.uint8)
    images = Part(pixels, np.eye(2, dtype=np.float32)[np.arange(12) % 2])
    return evidence.gather(parent, recipe, images, seed=1, fold=0, criteria=NAMES)


@pytest.fixture(scope="module")
def parents():
    """Networks and their evidence: added branches, depthwise, no BatchNorm, convolutions in groups."""
    built = [network(recipe) for recipe in RECIPES]
    return [(parent, gather(parent, recipe)) for parent, recipe in zip(built, RECIPES, strict=True)]


def groups(parent):
    return {group.name: group for group in cutting.groups(parent, size_px=SIZE)}


def with_taylor(**layers):
    """Return evidence of nothing but these layers' gradients; `__` stands for a dot."""
    named = {name.replace("__", "."): np.array(values) for name, values in layers.items()}
    return evidence.Evidence(seed=1, fold=0, taylor=named)


@pytest.fixture(params=NAMES)
def scores(request):
    return plugins.load("pruning/criteria", request.param).scores


def test_one_score_per_channel_and_the_network_stays_as_it_was(scores, parents):
    for parent, known in parents:
        before = copy.deepcopy(parent.state_dict())
        for group in groups(parent).values():
            found = scores(parent, group, known)
            assert found is None or (found.dtype == np.float64 and found.shape == (group.channels,))
            assert found is None or (np.isfinite(found).all() and (found >= 0).all())
            again = scores(parent, group, known)
            assert found is None or found.tobytes() == again.tobytes()
        for name, tensor in parent.state_dict().items():
            assert torch.equal(tensor, before[name])


def test_channels_differ(scores, parents):
    parent, known = parents[0]
    for group in groups(parent).values():
        differing = len(np.unique(scores(parent, group, known)))
        assert differing > group.channels / 2  # behind a ReLU that never opens, all gradients are 0


@pytest.fixture(scope="module")
def silenced(parents):
    """The same networks, in each of which channel 3 of every group has no weights."""
    found = [copy.deepcopy(parent) for parent, _ in parents]
    for parent in found:
        for group in groups(parent).values():
            for layer in (*group.makers, *group.depthwise, *group.norms):
                parent.get_submodule(layer).weight.data[3] = 0
    return [(parent, gather(parent, recipe)) for parent, recipe in zip(found, RECIPES, strict=True)]


@pytest.mark.parametrize("criterion", [l1_norm, l2_norm, bn_scale, taylor])
def test_a_silent_channel_ranks_last(criterion, silenced):
    for parent, known in silenced:
        for group in groups(parent).values():
            found = criterion.scores(parent, group, known)
            assert found is None or (found[3] == 0 == found.min() and found.max() > 0)


@pytest.mark.parametrize(("criterion", "power"), [(l1_norm, 1), (l2_norm, 2)])
def test_a_norm_is_that_of_the_filter_relative_to_the_layer(criterion, power, parents):
    parent, group = parents[0][0], groups(parents[0][0])[LAYER]
    weight = parent.backbone.layer2[0].conv1.weight.detach()
    norms = torch.linalg.vector_norm(weight, ord=power, dim=(1, 2, 3)).numpy()
    assert np.allclose(criterion.scores(parent, group, NOTHING), norms / norms.mean(), rtol=1e-5)


def test_l2_norm_prefers_one_large_weight_to_many_small_ones(parents):
    parent = copy.deepcopy(parents[0][0])
    weight = parent.backbone.layer2[0].conv1.weight.data
    weight[:2] = 0
    weight[0, 0, 0, 0], weight[1] = 1.0, 2.0 / weight[1].numel()
    group = groups(parent)[LAYER]
    by_l1, by_l2 = (x.scores(parent, group, NOTHING) for x in (l1_norm, l2_norm))
    assert by_l1[0] < by_l1[1] and by_l2[0] > by_l2[1]


@pytest.mark.parametrize("criterion", [l1_norm, l2_norm, fpgm])
def test_tied_layers_have_one_voice_each(criterion, parents):
    parent = copy.deepcopy(parents[0][0])
    group = groups(parent)[TIED]
    assert len(group.makers) == 2
    before = criterion.scores(parent, group, NOTHING)
    parent.backbone.layer2[0].conv2.weight.data *= 1024  # exact: only the exponent changes
    assert criterion.scores(parent, group, NOTHING).tobytes() == before.tobytes()
    parent.backbone.layer2[0].downsample[1].weight.data.zero_()
    assert criterion.scores(parent, group, NOTHING).mean() == pytest.approx(0.5)


@pytest.mark.parametrize("criterion", [l1_norm, l2_norm, fpgm, taylor])
@pytest.mark.parametrize("place", [1, 3], ids=["depthwise", "in groups"])
def test_filters_within_channels_have_a_voice(criterion, place, parents):
    parent, known = copy.deepcopy(parents[place][0]), parents[place][1]
    group = next(group for group in groups(parent).values() if group.depthwise)
    layer = group.depthwise[0]
    loud = int(known.taylor[layer].argmax())
    parent.get_submodule(layer).weight.data[loud] *= 100
    raised = known.taylor[layer] * np.where(np.arange(group.channels) == loud, 1e4, 1)
    after = evidence.Evidence(seed=1, fold=0, taylor={**known.taylor, layer: raised})
    before = criterion.scores(parents[place][0], group, known)
    found = criterion.scores(parent, group, after)
    assert found[loud] > before[loud] and found.argmax() == loud


def test_bn_scale_is_the_mean_absolute_scale_of_the_norms(parents):
    parent = copy.deepcopy(parents[0][0])
    group = groups(parent)[TIED]
    parent.backbone.layer2[0].bn2.weight.data *= -1
    scales = [parent.get_submodule(name).weight.detach().numpy() for name in group.norms]
    expected = (np.abs(scales[0]).astype(float) + np.abs(scales[1])) / 2
    assert len(scales) == 2 and np.array_equal(bn_scale.scores(parent, group, NOTHING), expected)


def test_bn_scale_says_nothing_of_a_layer_without_batchnorm(parents):
    parent, known = parents[2]
    group = groups(parent)["head.0"]
    assert group.channels == 32 and group.norms == ()
    assert bn_scale.scores(parent, group, known) is None
    assert l1_norm.scores(parent, group, known).shape == (32,)
    assert taylor.scores(parent, group, known).shape == (32,)


def test_taylor_ranks_by_the_gathered_gradients(parents):
    parent, known = parents[0]
    alone, tied = groups(parent)[LAYER], groups(parent)[TIED]
    gathered = known.taylor[LAYER]
    assert np.allclose(taylor.scores(parent, alone, known), gathered, rtol=1e-12)
    one, other = (known.taylor[name] for name in tied.makers)
    relative = (one / one.mean() + other / other.mean()) / 2  # one voice each
    level = (one.mean() + other.mean()) / 2  # as loud as both are: groups can be compared
    assert np.allclose(taylor.scores(parent, tied, known), relative * level, rtol=1e-12)


def test_taylor_says_nothing_of_a_group_that_no_gradient_reaches(parents):
    parent = parents[0][0]
    group = groups(parent)[LAYER]
    known = with_taylor(backbone__layer2__0__conv1=np.zeros(group.channels))
    assert taylor.scores(parent, group, known) is None


def test_taylor_without_gradients_is_refused_by_the_layers_name(parents):
    parent = parents[0][0]
    with pytest.raises(
        ValueError, match=r"no gradients were gathered of backbone\.layer2\.0\.conv1"
    ):
        taylor.scores(parent, groups(parent)[LAYER], NOTHING)


def test_fpgm_is_the_sum_of_distances_to_the_layers_other_filters(parents):
    parent = parents[0][0]
    flat = parent.backbone.layer2[0].conv1.weight.detach().double().flatten(1).numpy()
    sums = np.array([sum(np.linalg.norm(one - other) for other in flat) for one in flat])
    found = fpgm.scores(parent, groups(parent)[LAYER], NOTHING)
    assert np.allclose(found, sums / sums.mean(), rtol=1e-12)


def test_fpgm_drops_the_filter_amid_the_others_not_the_small_one(parents):
    parent = copy.deepcopy(parents[0][0])
    weight = parent.backbone.layer2[0].conv1.weight.data
    weight += 1  # all filters far from 0, around a common middle
    weight[5], weight[6] = weight.mean(dim=0), 0
    group = groups(parent)[LAYER]
    found = fpgm.scores(parent, group, NOTHING)
    assert found.argmin() == 5 and found.argmax() == 6
    assert l1_norm.scores(parent, group, NOTHING).argmin() == 6


def test_fpgm_says_nothing_of_filters_that_are_all_the_same(parents):
    parent = copy.deepcopy(parents[0][0])
    weight = parent.backbone.layer2[0].conv1.weight.data
    weight[:] = weight[0].clone()
    assert fpgm.scores(parent, groups(parent)[LAYER], NOTHING) is None


def test_random_is_drawn_for_each_seed_fold_and_group_alone(parents):
    parent = parents[0][0]
    one, other = groups(parent)[LAYER], groups(parent)["backbone.layer4.0.conv1"]
    base = random.scores(parent, one, NOTHING)
    assert base.tobytes() == random.scores(parents[2][0], one, NOTHING).tobytes()
    differing = [
        random.scores(parent, one, evidence.Evidence(seed=2, fold=0, taylor={})),
        random.scores(parent, one, evidence.Evidence(seed=1, fold=1, taylor={})),
        random.scores(parent, other, NOTHING)[: one.channels],
    ]
    assert all((base != drawn).all() for drawn in differing)


def missed(kept, covariance, weights):
    """Return what a reader's outputs miss without the other channels, its weights refitted, by definition."""
    gone = [channel for channel in range(len(covariance)) if channel not in kept]
    rest = covariance[np.ix_(gone, gone)]
    if kept:
        across = covariance[np.ix_(kept, gone)]
        rest = rest - across.T @ np.linalg.solve(covariance[np.ix_(kept, kept)], across)
    return float(np.trace(weights[:, gone] @ rest @ weights[:, gone].T))


def test_channels_go_as_they_are_missed_least_and_score_what_is_then_lost():
    rng = seeding.stream(1, "eliminated")
    values = rng.standard_normal((200, 7)) @ rng.standard_normal((7, 7))
    covariance, weights = np.cov(values.T), rng.standard_normal((5, 7))
    found = reconstruction.eliminated([(np.linalg.inv(covariance), weights.T @ weights)])
    kept, lost = list(range(7)), 0.0
    for channel in np.argsort(found).tolist():
        errors = {x: missed([y for y in kept if y != x], covariance, weights) for x in kept}
        assert min(errors, key=errors.__getitem__) == channel
        score = errors[channel] - lost
        assert found[channel] == pytest.approx(
            max(score, found[~np.isin(range(7), kept)].max(initial=0))
        )
        kept.remove(channel)
        lost = errors[channel]


def test_of_twins_one_goes_for_nothing_and_the_other_is_needed():
    rng = seeding.stream(1, "twins")
    values = rng.standard_normal((500, 4))
    values[:, 2] = values[:, 0] + 1e-4 * rng.standard_normal(500)
    inverse, weights = np.linalg.inv(np.cov(values.T)), np.eye(4)
    found = reconstruction.eliminated([(inverse, weights)])
    low, high = sorted(found[[0, 2]])
    assert low == found.min() < 1e-6 and high == found.max() > 1  # it carries both


def test_reconstruction_needs_the_moments_of_all_readers(parents):
    parent = parents[0][0]
    with pytest.raises(
        ValueError,
        match=r"no moments were measured of what flows into backbone.*name reconstruction",
    ):
        reconstruction.scores(parent, groups(parent)[LAYER], NOTHING)


def test_a_reader_that_flattens_counts_each_channel_once(parents):
    """The classifier over a map of 2 x 2 reads each channel four times."""
    rng = seeding.stream(1, "flattened")
    reader = torch.nn.Sequential(torch.nn.Linear(12, 3))
    group = surgery.Group(
        name="x", channels=3, makers=("x",), depthwise=(), norms=(), takers=(("0", 4),),
        inputs=(tuple(range(12)),),
    )  # fmt: skip
    weight = reader[0].weight.data
    weight[:, 4:8] = 0.001  # channel 1 is hardly read
    seen = Moments(0, np.zeros(12), np.zeros((12, 12)))
    seen.add(torch.from_numpy(rng.standard_normal((400, 12))))
    known = evidence.Evidence(seed=1, fold=0, taylor={}, moments={"0": seen})
    found = reconstruction.scores(reader, group, known)
    assert found.shape == (3,) and found.argmin() == 1 and 0 <= found[1] < 1e-3
    assert 0.5 < found.sum() < 1.5  # nothing can be made up for: the shares are of the whole
