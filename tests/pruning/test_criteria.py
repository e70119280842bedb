"""The contract of every criterion in cxr/pruning/criteria, and what each one looks at."""

import copy

import numpy as np
import pytest
import torch

from cxr import numerics, plugins
from cxr.pruning import cutting
from cxr.pruning.criteria import bn_scale, l1_norm
from tests.pruning.parents import SIZE, network, small
from tests.training.recipes import tiny

numerics.exact_torch()
MLP = {"kind": "mlp", "hidden": [32], "dropout": 0.0}


@pytest.fixture(scope="module")
def parents():
    return [network(small()), network(tiny()), network(small(head=MLP))]


def groups(parent):
    return {group.name: group for group in cutting.groups(parent, size_px=SIZE)}


@pytest.fixture(params=plugins.names("pruning/criteria"))
def scores(request):
    return plugins.load("pruning/criteria", request.param).scores


def test_one_score_per_channel_and_the_network_stays_as_it_was(scores, parents):
    for parent in parents:
        before = copy.deepcopy(parent.state_dict())
        for group in groups(parent).values():
            found = scores(parent, group)
            assert found is None or (found.dtype == np.float64 and found.shape == (group.channels,))
            assert found is None or (np.isfinite(found).all() and (found >= 0).all())
            again = scores(parent, group)
            assert found is None or found.tobytes() == again.tobytes()
        for name, tensor in parent.state_dict().items():
            assert torch.equal(tensor, before[name])


def test_a_silent_channel_ranks_last(scores, parents):
    for parent in map(copy.deepcopy, parents):
        for group in groups(parent).values():
            for name in (*group.makers, *group.depthwise, *group.norms):
                parent.get_submodule(name).weight.data[3] = 0
            found = scores(parent, group)
            assert found is None or (found.argmin() == 3 and found[3] == 0)


def test_l1_norm_is_the_sum_of_absolute_weights_relative_to_the_layer(parents):
    parent, group = parents[0], groups(parents[0])["backbone.layer2.0.conv1"]
    norms = parent.backbone.layer2[0].conv1.weight.detach().abs().sum(dim=(1, 2, 3)).numpy()
    assert np.allclose(l1_norm.scores(parent, group), norms / norms.mean(), rtol=1e-5)


def test_l1_norm_gives_tied_layers_one_voice_each(parents):
    parent = copy.deepcopy(parents[0])
    group = groups(parent)["backbone.layer2.0.conv2"]
    before = l1_norm.scores(parent, group)
    parent.backbone.layer2[0].conv2.weight.data *= 1024  # exact: only the exponent changes
    assert l1_norm.scores(parent, group).tobytes() == before.tobytes()
    parent.backbone.layer2[0].downsample[1].weight.data.zero_()
    assert l1_norm.scores(parent, group).mean() == pytest.approx(0.5)


def test_bn_scale_is_the_mean_absolute_scale_of_the_norms(parents):
    parent = copy.deepcopy(parents[0])
    group = groups(parent)["backbone.layer2.0.conv2"]
    parent.backbone.layer2[0].bn2.weight.data *= -1
    scales = [parent.get_submodule(name).weight.detach().numpy() for name in group.norms]
    expected = (np.abs(scales[0]).astype(float) + np.abs(scales[1])) / 2
    assert len(scales) == 2 and np.array_equal(bn_scale.scores(parent, group), expected)


def test_bn_scale_says_nothing_of_a_layer_without_batchnorm(parents):
    group = groups(parents[2])["head.0"]
    assert group.channels == 32 and group.norms == ()
    assert bn_scale.scores(parents[2], group) is None
    assert l1_norm.scores(parents[2], group).shape == (32,)
