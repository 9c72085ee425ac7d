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
    from posetables.recipe import Experiment, Network


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


def shape(network: nn.Module, recipe: Experiment, zoom: float = 1.0) -> tuple[int, int]:
    """Height and width nearest to `zoom` times those of the recipe that the network can take."""
    multiple = int(network.multiple)  # type: ignore[arg-type]
    height, width = (
        max(1, round(zoom * side / multiple)) * multiple for side in (recipe.input, recipe.aspect * recipe.input)
    )
    return height, width


def taken(recipe: Experiment) -> list[int]:
    """For each joint of the people who are tested the number of its map.

    Raises:
        InputError: the network has no map of one.
    """
    ours, tested = skeletons.named(recipe.maps_of), skeletons.named(recipe.skeleton)
    numbers = ours.numbers(tested)
    if None in numbers:
        raise InputError(
            f"{recipe.name}: maps_of: {recipe.maps_of} has no {tested.joints[numbers.index(None)]}, a joint of "
            f"{recipe.skeleton}; train on its joints"
        )
    return [number for number in numbers if number is not None]


def load(network: nn.Module, module: str, path: Path) -> None:
    """Fill `module` ("" is the whole network) from the weights at `path`, or from those of the part of that name in
    them."""
    target = submodule(network, module)
    weights = _read_public(path, target) if path.suffix == ".pth" else _part(_read(path), module)
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


def _part(weights: Mapping[str, Tensor], module: str) -> Mapping[str, Tensor]:
    """Those of one part of a network, if they have such a part."""
    inside = {key.removeprefix(f"{module}."): value for key, value in weights.items() if key.startswith(f"{module}.")}
    return inside or weights


def _read_public(path: Path, target: nn.Module) -> Mapping[str, Tensor]:
    """A released state dict, through the reader that the network's own file has for it. No pickled code runs.

    What a release does not have stays as it is at the start: the layers that the network names as new to a classifier,
    all of them, and the counts of batches, which files from before PyTorch 0.4.1 lack.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{path}: not a plain state dict ({reason}); fetch it again") from error
    own = target.state_dict()
    weights: Mapping[str, Tensor] = importlib.import_module(type(target).__module__).from_torchvision(state, own)
    new: tuple[str, ...] = getattr(target, "new_layers", ())
    if any(key.startswith(new) for key in weights):
        new = ()
    kept = {key: value for key, value in own.items() if key.startswith(new) or key.endswith(".num_batches_tracked")}
    return {**kept, **weights}
