"""Networks of recipes: weights that depend on the seed alone, and no weights that belong to something else."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from posetables.errors import InputError
from posetables.recipe import Network
from posetables.stages import network as networks


def recipe(features: int = 8, backbone: str = "hourglass") -> Network:
    arguments = {"stacks": 1, "features": features} if backbone == "hourglass" else {"width": 0.01}
    return Network(paper="hcrn", arguments={"backbone": backbone, "head": "holistic"} | arguments)


def test_random_weights_depend_on_the_seed_alone(tmp_path: Path) -> None:
    contents = []
    for i, seed in enumerate((0, 0, 1)):
        torch.rand(i)
        networks.save(networks.build(recipe(), "lsp", seed), tmp_path / f"{i}.safetensors")
        contents.append((tmp_path / f"{i}.safetensors").read_bytes())
    assert contents[0] == contents[1] != contents[2]


def test_saved_weights_come_back(tmp_path: Path) -> None:
    first, second = networks.build(recipe(), "lsp", 0), networks.build(recipe(), "lsp", 1)
    networks.save(first, tmp_path / "weights.safetensors")
    networks.load(second, "", tmp_path / "weights.safetensors")
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name


def test_weights_fill_the_module_that_they_are_meant_for_and_no_other(tmp_path: Path) -> None:
    first, second = networks.build(recipe(), "lsp", 0), networks.build(recipe(), "lsp", 1)
    before = {name: value.clone() for name, value in second.state_dict().items()}
    networks.save(first.get_submodule("initial"), tmp_path / "weights.safetensors")
    networks.load(second, "initial", tmp_path / "weights.safetensors")
    after = second.state_dict()
    assert {name for name in after if not torch.equal(after[name], before[name])} == {"initial.weight"}  # biases are 0
    assert torch.equal(after["initial.weight"], first.state_dict()["initial.weight"])


@pytest.mark.parametrize(
    ("other", "told"),
    [(recipe(backbone="vgg16"), "backbone"), (recipe(features=12), "initial.weight|backbone")],
    ids=["another network", "another width"],
)
def test_weights_of_another_network_are_refused_with_their_file(tmp_path: Path, other: Network, told: str) -> None:
    path = tmp_path / "weights.safetensors"
    networks.save(networks.build(other, "lsp"), path)
    with pytest.raises(InputError, match=rf"weights.safetensors: .*({told})"):
        networks.load(networks.build(recipe(), "lsp"), "", path)


def test_weights_with_one_missing_are_refused_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    network = networks.build(recipe(), "lsp")
    save_file({k: v.contiguous() for k, v in network.state_dict().items() if k != "initial.bias"}, path)
    with pytest.raises(InputError, match=r"weights.safetensors: initial.bias"):
        networks.load(network, "", path)


@pytest.mark.parametrize("kept", [0, 7, 100, -1])
def test_weights_that_were_cut_short_are_refused_with_their_file(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "weights.safetensors"
    network = networks.build(recipe(), "lsp")
    networks.save(network, path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match=r"weights.safetensors: not whole"):
        networks.load(network, "", path)


class Exploit:
    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("exploited",)


@pytest.mark.parametrize(
    "content", [pickle.dumps(Exploit(), protocol=2), b"", b"<html>404 Not Found</html>"], ids=["code", "empty", "page"]
)
def test_a_release_that_is_no_plain_state_dict_is_refused_and_no_code_of_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "vgg16.pth"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"vgg16.pth: not a plain state dict") as raised:
        networks.load(networks.build(recipe(backbone="vgg16"), "lsp"), "backbone", path)
    assert not Path("exploited").exists()
    assert len(str(raised.value).splitlines()) == 1


def test_a_zipped_release_with_code_in_it_is_refused_on_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"features.0.weight": Exploit()}, tmp_path / "vgg16.pth")
    with pytest.raises(InputError, match=r"vgg16.pth: not a plain state dict") as raised:
        networks.load(networks.build(recipe(backbone="vgg16"), "lsp"), "backbone", tmp_path / "vgg16.pth")
    assert not Path("exploited").exists()
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("multiple", "zoom", "side"), [(8, 1.0, 64), (8, 0.8, 48), (8, 1.2, 80), (4, 0.8, 52), (4, 1.2, 76), (8, 0.01, 8)]
)
def test_the_side_is_the_nearest_that_the_network_takes(multiple: int, zoom: float, side: int) -> None:
    network = nn.Identity()
    network.multiple = multiple  # type: ignore[assignment]
    assert networks.sides(network, 64, zoom) == side


@pytest.mark.parametrize(
    ("paper", "arguments", "told"),
    [
        ("mssa", {"backbone": "hourglass", "stakcs": 2}, "unexpected keyword argument 'stakcs'"),
        ("mca", {"backbone": "hourglass", "width": 0.5}, "unexpected keyword argument 'width'"),
        ("hcrn", {"backbone": "hourglass"}, "missing a required .*argument: 'head'"),
    ],
)
def test_an_argument_that_a_paper_does_not_have_is_told_with_its_file(
    paper: str, arguments: dict[str, str | int | float], told: str
) -> None:
    with pytest.raises(InputError, match=rf"params/papers/{paper}/experiments.yaml: network: .*{told}"):
        networks.build(Network(paper=paper, arguments=arguments), "lsp")
