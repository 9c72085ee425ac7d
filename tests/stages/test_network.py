"""Networks of recipes: weights that depend on the seed alone, and no weights that belong to something else."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from posetables.data import skeletons
from posetables.errors import InputError
from posetables.models.resnet import ResNet
from posetables.models.simple_baseline import SimpleBaseline
from posetables.params import Recipes
from posetables.recipe import Experiment, Network
from posetables.stages import network as networks

HCRN = Recipes(Path(__file__).parents[2] / "params").experiment("hcrn/lsp-pc/hg", "mini")


def seen_by(side: int, aspect: float) -> Experiment:
    return HCRN.model_copy(update={"input": side, "aspect": aspect})


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


def baseline(depth: int = 50, blocks: int = 1) -> SimpleBaseline:
    return SimpleBaseline(3, depth=depth, width=0.125, blocks=blocks)


def released(path: Path, weights: Mapping[str, Tensor]) -> Path:
    torch.save(dict(weights), path / "released.pth")
    return path / "released.pth"


def classifier(blocks: int = 1) -> dict[str, Tensor]:
    """As torchvision has it; every value 2, which no network starts with."""
    weights = ResNet(50, width=0.125, blocks=blocks).state_dict() | {"fc.weight": torch.zeros(1000, 256)}
    return {name: torch.full_like(value, 2) for name, value in weights.items()}


def filled(network: nn.Module) -> set[str]:
    """Layers that have nothing but the values of `classifier`."""
    values = [(name.partition(".")[0], (value == 2).all()) for name, value in network.state_dict().items()]
    return {layer for layer, _ in values} - {layer for layer, full in values if not full}


def test_weights_of_a_classifier_fill_all_but_the_layers_that_it_lacks(tmp_path: Path) -> None:
    network = baseline()
    networks.load(network, "", released(tmp_path, classifier()))
    assert filled(network) == {"conv1", "bn1", "layer1", "layer2", "layer3", "layer4"}


def test_weights_of_a_classifier_fill_the_layer_that_a_last_stage_shares_with_it(tmp_path: Path) -> None:
    last = baseline().last_stage()
    networks.load(last, "", released(tmp_path, classifier()))
    assert filled(last) == {"layer4"}


def test_new_layers_start_as_they_were_built(tmp_path: Path) -> None:
    network = baseline()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    networks.load(network, "", released(tmp_path, classifier()))
    new = [name for name in before if name.startswith(("deconv_layers.", "final_layer."))]
    assert all(torch.equal(network.state_dict()[name], before[name]) for name in new)


def test_a_released_pose_network_loads_wholly(tmp_path: Path) -> None:
    network, trained = baseline(), baseline()
    networks.load(network, "", released(tmp_path, trained.state_dict()))
    assert all(torch.equal(value, trained.state_dict()[name]) for name, value in network.state_dict().items())


def test_files_from_before_batches_were_counted_load(tmp_path: Path) -> None:
    weights = {name: value for name, value in classifier().items() if not name.endswith("num_batches_tracked")}
    network = baseline()
    networks.load(network, "", released(tmp_path, weights))
    assert network.bn1.num_batches_tracked == 0
    assert (network.bn1.weight == 2).all()


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        (classifier(blocks=2), "layer1.1.conv1.weight"),
        ({k: v for k, v in classifier().items() if k != "bn1.running_var"}, "bn1.running_var"),
        ({k: v for k, v in baseline().state_dict().items() if k != "deconv_layers.3.weight"}, "deconv_layers.3.weight"),
        (SimpleBaseline(4, depth=50, width=0.125, blocks=1).state_dict(), "final_layer.weight"),
    ],
    ids=["a deeper network", "a layer cut short", "a pose network without a new layer", "other joints"],
)
def test_a_release_of_another_network_is_refused_with_what_is_wrong(
    tmp_path: Path, weights: dict[str, Tensor], told: str
) -> None:
    with pytest.raises(InputError, match=rf"released.pth: {told}: not the weights of this SimpleBaseline"):
        networks.load(baseline(), "", released(tmp_path, weights))


def test_new_layers_may_not_be_missing_in_weights_of_another_stage(tmp_path: Path) -> None:
    save_file({k: v for k, v in classifier().items() if k != "fc.weight"}, tmp_path / "weights.safetensors")
    with pytest.raises(InputError, match=r"weights.safetensors: deconv_layers.0.weight"):
        networks.load(baseline(), "", tmp_path / "weights.safetensors")


@pytest.mark.parametrize(
    ("multiple", "zoom", "side"), [(8, 1.0, 64), (8, 0.8, 48), (8, 1.2, 80), (4, 0.8, 52), (4, 1.2, 76), (8, 0.01, 8)]
)
def test_the_side_is_the_nearest_that_the_network_takes(multiple: int, zoom: float, side: int) -> None:
    network = nn.Identity()
    network.multiple = multiple  # type: ignore[assignment]
    assert networks.shape(network, seen_by(64, 1.0), zoom) == (side, side)


@pytest.mark.parametrize(
    ("multiple", "side", "aspect", "zoom", "size"),
    [
        (32, 256, 0.75, 1.0, (256, 192)),
        (32, 128, 0.75, 1.0, (128, 96)),
        (32, 384, 0.75, 1.0, (384, 288)),
        (4, 64, 0.75, 0.5, (32, 24)),
        (32, 96, 0.75, 1.0, (96, 64)),
        (8, 64, 1.5, 1.0, (64, 96)),
    ],
)
def test_height_and_width_are_the_nearest_that_the_network_takes(
    multiple: int, side: int, aspect: float, zoom: float, size: tuple[int, int]
) -> None:
    network = nn.Identity()
    network.multiple = multiple  # type: ignore[assignment]
    assert networks.shape(network, seen_by(side, aspect), zoom) == size


def test_people_are_tested_by_the_maps_of_joints_of_their_names() -> None:
    """MPII's upper neck is what LSP calls the neck."""
    mpii = skeletons.named("mpii").joints
    names = [mpii[number] for number in networks.taken(HCRN.model_copy(update={"maps_of": "mpii"}))]
    assert names == ["upper neck" if joint == "neck" else joint for joint in skeletons.named("lsp").joints]


def test_people_with_the_networks_own_joints_are_tested_by_all_maps_in_order() -> None:
    assert networks.taken(HCRN) == list(range(14))


def test_a_joint_of_which_there_is_no_map_is_told() -> None:
    recipe = HCRN.model_copy(update={"skeleton": "mpii"})
    with pytest.raises(InputError, match="hg: maps_of: lsp has no pelvis, a joint of mpii; train on its joints"):
        networks.taken(recipe)


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
