"""Networks of recipes: built from the paper's file, with weights from another stage or from a public release."""

from __future__ import annotations

import importlib
import inspect
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from posetables.data import skeletons
from posetables.errors import InputError

if TYPE_CHECKING:
    from posetables.recipe import Network


def build(recipe: Network, skeleton: str, seed: int = 0) -> nn.Module:
    """The network of a recipe with random weights that depend on the seed alone.

    Raises:
        InputError: an argument is missing, is not known, or has a value that the paper's file does not know.
    """
    torch.manual_seed(seed)
    paper = importlib.import_module(f"posetables.models.{recipe.paper}")
    try:
        given = inspect.signature(paper.build).bind(skeletons.named(skeleton), **recipe.arguments)
    except TypeError as error:
        raise InputError(f"params/papers/{recipe.paper}/experiments.yaml: network: {error}; correct it") from error
    network: nn.Module = paper.build(*given.args, **given.kwargs)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def sides(network: nn.Module, input_side: int, zoom: float = 1.0) -> int:
    """Side of the square input nearest to `zoom` times the recipe's that the network can take."""
    multiple = int(network.multiple)  # type: ignore[arg-type]
    return max(1, round(zoom * input_side / multiple)) * multiple


def load(network: nn.Module, module: str, path: Path) -> None:
    """Fill `module` ("" is the whole network) from the weights at `path`."""
    target = submodule(network, module)
    weights = _read_public(path, target) if path.suffix == ".pth" else _read(path)
    own = target.state_dict()
    for key in {**own, **weights}:
        if key not in own or key not in weights or own[key].shape != weights[key].shape:
            raise InputError(f"{path}: {key}: not the weights of this {type(target).__name__}; check init in params/")
    # What `load_state_dict` would do after it had walked the network and checked all of this once more.
    for key, value in own.items():
        value.copy_(weights[key])


def submodule(network: nn.Module, name: str) -> nn.Module:
    """A part of a network by the name that a recipe gives; "" is the whole."""
    try:
        return network.get_submodule(name)
    except AttributeError as error:
        parts = ", ".join(part for part, _ in network.named_children())
        raise InputError(f"params/: {type(network).__name__} has no part {name!r}; it has {parts}") from error


def save(network: nn.Module, path: Path) -> None:
    """Write all weights; equal weights give equal bytes."""
    save_file({name: value.contiguous().cpu() for name, value in network.state_dict().items()}, path)


def _read(path: Path) -> Mapping[str, Tensor]:
    try:
        return load_file(path)
    except SafetensorError as error:
        raise InputError(f"{path}: not whole ({error}); delete it and train its stage again") from error


def _read_public(path: Path, target: nn.Module) -> Mapping[str, Tensor]:
    """A released state dict, through the reader that the network's own file has for it. No pickled code runs."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{path}: not a plain state dict ({reason}); fetch it again") from error
    weights: Mapping[str, Tensor] = importlib.import_module(type(target).__module__).from_torchvision(state)
    return weights
