"""Networks whose first layers keep their weights: which layers those are."""

from __future__ import annotations

from typing import Any

from torch import nn


class PartlyFrozen(nn.Module):
    """A module around a ``network`` whose first layers can be kept from learning."""

    network: nn.Module
    #: Share of the layers, from the image on, that do not learn; with 1 only the head does.
    frozen_share: float = 0.0

    def freeze(self) -> None:
        """Keep the first layers as they are, including their batch statistics.

        Where a network has a backbone, its layers are those that count; the head always learns.
        """
        for layer in self.frozen_layers():
            # Not eval() and requires_grad_(): they reach what is inside, too.
            layer.training = False
            for parameter in layer.parameters(recurse=False):
                parameter.requires_grad_(False)

    def frozen_layers(self) -> list[nn.Module]:
        """The modules that stay as they are."""
        if self.frozen_share == 1:
            # Layers without weights, such as dropout, are part of what stays as it is.
            learning = {module for head in heads_of(self.network) for module in head.modules()}
            return [module for module in self.network.modules() if module not in learning]
        layers = self._layers()
        return layers[: int(self.frozen_share * len(layers))]

    def first_learning_layer(self) -> nn.Module:
        """The layer, or the head, behind the frozen ones."""
        if self.frozen_share == 1:
            return heads_of(self.network)[0]
        return self._layers()[len(self.frozen_layers())]

    def _layers(self) -> list[nn.Module]:
        backbone = getattr(self.network, "backbone", self.network)
        return [m for m in backbone.modules() if list(m.parameters(recurse=False))]


def frozen_parameters(model: nn.Module) -> set[str]:
    """Names of all parameters of a model that are in frozen layers."""
    parts = [module for module in model.modules() if isinstance(module, PartlyFrozen)]
    frozen = {
        id(parameter)
        for part in parts
        for layer in part.frozen_layers()
        for parameter in layer.parameters(recurse=False)
    }
    return {name for name, parameter in model.named_parameters() if id(parameter) in frozen}


def backbone_parameters(model: nn.Module) -> set[str]:
    """Names of the parameters of networks that may be pretrained: all but those of heads."""
    parts = [module for module in model.modules() if isinstance(module, PartlyFrozen)]
    every = {id(parameter) for part in parts for parameter in part.network.parameters()}
    heads = [head for part in parts for head in heads_of(part.network)]
    every -= {id(parameter) for head in heads for parameter in head.parameters()}
    return {name for name, p in model.named_parameters() if id(p) in every}


def heads_of(network: nn.Module) -> list[nn.Module]:
    """What learns in a network that is frozen otherwise.

    All that is beside its backbone, or what timm calls its classifier, or its last layer.
    """
    if isinstance(getattr(network, "backbone", None), nn.Module):
        children = [child for name, child in network.named_children() if name != "backbone"]
        return [child for child in children if list(child.parameters())]
    get_classifier: Any = getattr(network, "get_classifier", None)
    if get_classifier is not None:
        found = get_classifier()
        # Distilled transformers have two.
        heads = list(found) if isinstance(found, tuple | list | nn.ModuleList) else [found]
        heads = [head for head in heads if isinstance(head, nn.Module)]
        if any(list(head.parameters()) for head in heads):
            return heads
    layers = [m for m in network.modules() if list(m.parameters(recurse=False))]
    return layers[-1:]
