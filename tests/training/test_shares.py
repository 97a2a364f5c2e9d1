"""Batch norm of several processes: synchronized on GPUs, and itself again afterwards."""

import timm
import torch
from torch import nn

from p2pselect.distributed import Group
from p2pselect.training._shares import synchronized_batch_norm


def kinds(model):
    return [type(module).__name__ for module in model.modules()]


def test_batch_norm_is_synchronized_on_gpus_only_while_training():
    model = timm.create_model("mobilenetv2_050")  # batch norm with an activation of its own
    before, modules = kinds(model), list(model.modules())
    norm = model.bn1
    with synchronized_batch_norm(model, torch.device("cuda"), Group(0, 2)):
        found = set(kinds(model))
        assert "SyncBatchNormAct" in found
        assert not found & {"BatchNorm2d", "BatchNormAct2d"}
        assert model.bn1.weight is norm.weight and model.bn1.running_var is norm.running_var
        model.bn1.running_mean.fill_(3.0)
    assert kinds(model) == before
    assert all(own is other for own, other in zip(model.modules(), modules, strict=True))
    assert (norm.running_mean == 3).all()


def test_one_process_or_a_cpu_needs_no_synchronization():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    for device, group in (("cuda", Group()), ("cpu", Group(0, 2))):
        with synchronized_batch_norm(model, torch.device(device), group):
            assert kinds(model) == ["Sequential", "Conv2d", "BatchNorm2d"]
