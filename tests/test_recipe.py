"""Params become recipes, or one line that names file, key and remedy."""

from __future__ import annotations

import copy
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from posetables import yaml_files
from posetables.errors import InputError
from posetables.params import Recipes
from posetables.recipe import SCALES, Protocol
from posetables.schemas import ExperimentsFile
from posetables.stages.artifacts import Artifacts

if TYPE_CHECKING:
    from conftest import Project

PARAMS = Path(__file__).parents[1] / "params"
REAL = Recipes(PARAMS)
EXPERIMENTS = "params/papers/hcrn/experiments.yaml"


def refusal(call: Callable[[], Any]) -> str:
    """What the user is told, on one line."""
    with pytest.raises(InputError) as raised:
        call()
    (line,) = str(raised.value).splitlines()
    return line


def resolve(scale: str = "mini") -> Artifacts:
    """Read everything that the tables of the project in the current directory stand on."""
    artifacts = Artifacts(Recipes(), scale)  # type: ignore[arg-type]
    for table in artifacts.recipes.tables:
        artifacts.table(table)
    return artifacts


# What the project says


@pytest.mark.parametrize("scale", SCALES)
def test_every_table_resolves_to_artifacts_that_have_a_place_of_their_own(scale: Any) -> None:
    artifacts = Artifacts(REAL, scale)
    places: dict[str, str] = {}
    waiting = [artifacts.table(table) for table in REAL.tables]
    while waiting:
        artifact = waiting.pop()
        assert places.setdefault(str(artifact.manifest), artifact.identity) == artifact.identity
        waiting.extend(artifact.inputs.values())
    assert len(places) > len(REAL.tables)


@pytest.mark.parametrize("name", REAL.experiments)
@pytest.mark.parametrize("scale", SCALES)
def test_every_experiment_resolves(name: str, scale: Any) -> None:
    assert REAL.experiment(name, scale).name == name


def test_table_1_has_the_rows_and_columns_of_the_paper() -> None:
    table = REAL.table("hcrn_table1")
    assert {(row, column) for row in table.rows for column in table.columns} == set(REAL.published(table))


def test_the_paper_scale_is_what_hcrn_states() -> None:
    recipe = REAL.experiment("hcrn/lsp-pc/vgg16-hcrn", "paper")
    (training,) = recipe.stages.values()
    assert recipe.input == 368
    assert recipe.augment.model_dump() == {
        "rotation": 40, "scale": (0.7, 1.3), "spread": "uniform", "rotated": 1, "half_body": 0, "flip": 0.5,
        "colour": (1, 1),
    }  # fmt: skip
    assert recipe.codecs["*"].model_dump() == {
        "target": "disc", "radius": 10, "loss": "cross-entropy", "background": True, "activation": "sigmoid",
        "finest": None, "structure": 0, "visible_only": False, "grid": "centres", "rounded": False, "cut": None,
        "weight": 1,
    }  # fmt: skip
    assert (recipe.aspect, recipe.maps_of) == (1, "lsp")
    assert (training.optimizer.name, training.epochs) == ("sgd", 250)


def without_what_a_scale_may_change(name: str, scale: Any) -> dict[str, Any]:
    recipe, side = REAL.experiment(name, scale), REAL.experiment(name, "paper").input
    content = recipe.model_dump(mode="json", exclude={"input", "compute"})
    networks, backbone = REAL.scale("mini").networks, str(recipe.network.arguments["backbone"])
    sizes = networks.get(f"{recipe.network.paper}/{backbone}", networks.get(backbone, {}))
    for size in sizes:
        content["network"]["arguments"].pop(size, None)
    for codec in content["codecs"].values():
        del codec["radius"]
    for protocol in content["protocols"].values():
        protocol["blur"] = pytest.approx(protocol["blur"] * side / recipe.input)
        boxes = protocol["boxes"]
        protocol["boxes"] = REAL.scale("mini").detectors.get(boxes, boxes)
    for stage in content["stages"].values():
        for key in ("epochs", "batch", "warmup", "init", "shares"):
            del stage[key]
        if stage["masking"]:
            stage["masking"]["patch"] = pytest.approx(stage["masking"]["patch"] * side / recipe.input)
        del stage["optimizer"]["lr"], stage["optimizer"]["clip"]
    return content


@pytest.mark.parametrize("name", REAL.experiments)
@pytest.mark.parametrize("scale", ["mini", "lite"])
def test_a_small_scale_changes_only_size_length_start_shares_and_detectors(name: str, scale: Any) -> None:
    small, paper = without_what_a_scale_may_change(name, scale), without_what_a_scale_may_change(name, "paper")
    assert {key for key in paper if small[key] != paper[key]} == set()


@pytest.mark.parametrize("scale", ["mini", "lite"])
def test_every_experiment_of_a_small_scale_is_narrower_and_shorter(scale: Any) -> None:
    left_out = REAL.scale(scale).leaves_out
    made = [name for name in REAL.experiments if not any(fnmatch(name, pattern) for pattern in left_out)]
    assert made != []
    for name in made:
        small, paper = REAL.experiment(name, scale), REAL.experiment(name, "paper")
        assert small.input < paper.input
        assert small.network.arguments != paper.network.arguments
        assert all(stage.epochs < paper.stages[key].epochs for key, stage in small.stages.items())


# What a recipe is made of


def test_milestones_keep_their_share_of_a_shorter_training(project: Project) -> None:
    stage = Recipes().experiment("hcrn/lsp-pc/hg", "mini").stages["main"]
    assert (stage.epochs, list(stage.milestones)) == (2, [0.6, 0.68, 0.8, 0.92])  # epochs 150, 170, 200, 230 of 250


def test_lengths_in_input_pixels_shrink_with_the_input(project: Project) -> None:
    project.edit("params/scales.yaml", lambda scales: scales["mini"].update(input={368: 64}, radius={}))
    recipe = Recipes().experiment("hcrn/lsp-pc/hg", "mini")
    assert recipe.codecs["*"].radius == pytest.approx(10 * 64 / 368)
    assert recipe.protocols["pyramid3"].blur == pytest.approx(3 * 64 / 368)


def test_a_scale_may_give_a_radius_of_its_own(project: Project) -> None:
    project.edit("params/scales.yaml", lambda scales: scales["mini"].update(input={368: 64}, radius={10: 4}))
    assert Recipes().experiment("hcrn/lsp-pc/hg", "mini").codecs["*"].radius == 4


def in_two_stages(content: dict[str, Any]) -> None:
    content["experiments"]["lsp-pc/hg"]["stages"] = {
        "first": {"training": "hourglass"},
        "second": {"training": "hourglass", "init": {"": "hcrn/lsp-pc/hg/first"}},
    }


@pytest.mark.parametrize("scale", SCALES)
def test_a_stage_that_goes_on_from_another_does_so_at_every_scale(project: Project, scale: Any) -> None:
    project.edit(EXPERIMENTS, in_two_stages)
    second = Artifacts(Recipes(), scale).train("hcrn/lsp-pc/hg", "second", 0)
    assert "init:" in second.inputs


@pytest.mark.parametrize("scale", ["mini", "lite"])
def test_small_scales_start_from_random_weights_instead_of_imagenets(scale: Any) -> None:
    assert REAL.experiment("hcrn/lsp-pc/vgg16-hcrn", scale).stages["main"].init == {}
    assert REAL.experiment("hcrn/lsp-pc/vgg16-hcrn", "paper").stages["main"].init == {"backbone": "imagenet-vgg16"}


def of_its_own(**changes: Any) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        content["protocols"]["plain"] = {"scales": [1.0], "flip": False, "blur": 0}
        content["experiments"]["lsp-pc/hg"].update(changes)

    return change


def test_an_experiment_may_have_augmentation_of_its_own(project: Project) -> None:
    project.edit(EXPERIMENTS, of_its_own(augment={"rotation": 5, "scale": [1, 1], "flip": 0}))
    recipes = Recipes()
    rotations = [recipes.experiment(f"hcrn/lsp-pc/{name}", "mini").augment.rotation for name in ("hg", "hg-hcrn")]
    assert rotations == [5, 40]


def test_an_experiment_may_have_protocols_of_its_own(project: Project) -> None:
    project.edit(EXPERIMENTS, of_its_own(protocols=["plain", "pyramid3"]))
    recipes = Recipes()
    known = [list(recipes.experiment(f"hcrn/lsp-pc/{name}", "mini").protocols) for name in ("hg", "hg-hcrn")]
    assert known == [["plain", "pyramid3"], ["pyramid3"]]


def test_an_experiment_with_protocols_of_its_own_is_tested_in_the_first_way_of_these(project: Project) -> None:
    project.edit(EXPERIMENTS, of_its_own(protocols=["plain", "pyramid3"]))
    assert Recipes().protocol("hcrn/lsp-pc/hg", None) == "plain"


def test_an_experiment_has_maps_of_the_joints_of_its_people_if_nothing_else_is_said() -> None:
    assert REAL.experiment("hcrn/lsp-pc/hg", "mini").maps_of == "lsp"


def test_an_experiment_may_have_maps_of_other_joints_than_its_people() -> None:
    recipe = REAL.experiment("phr/lsp/res", "mini")
    assert (recipe.skeleton, recipe.maps_of) == ("lsp", "mpii")


def test_radii_of_points_are_those_of_their_maps_at_every_scale() -> None:
    for scale in SCALES:
        codecs = REAL.experiment("gpcnn/coco-256/r50", scale).codecs
        assert codecs["points"].radius == codecs["heatmaps"].radius


# How a cell's network is tested


def columns_with_protocols(table: dict[str, Any]) -> None:
    table["hcrn_table1"]["columns"] = {
        "Avg": {"read": "score", "key": ["pck", "Avg"], "protocol": "plain"},
        "Head": {"read": "score", "key": ["pck", "Head"]},
    }
    table["hcrn_table1"].pop("total")


def way_in(column: str, experiment: str) -> str:
    recipes = Recipes()
    return recipes.protocol_in(recipes.table("hcrn_table1"), "HG", column, experiment)


@pytest.fixture
def with_columns(project: Project) -> Project:
    project.edit(EXPERIMENTS, of_its_own(protocols=["pyramid3", "plain"]))
    project.edit("params/papers/hcrn/tables.yaml", columns_with_protocols)
    return project


def test_a_column_says_how_its_networks_are_tested(with_columns: Project) -> None:
    assert way_in("Avg", "hcrn/lsp-pc/hg") == "plain"


def test_a_network_that_does_not_know_the_way_of_its_column_is_tested_as_the_table_says(with_columns: Project) -> None:
    assert way_in("Avg", "hcrn/lsp-pc/hg-hcrn") == "pyramid3"


def test_in_other_columns_networks_are_tested_as_the_table_says(with_columns: Project) -> None:
    assert way_in("Head", "hcrn/lsp-pc/hg") == "pyramid3"


def test_a_way_that_no_network_of_a_column_knows_is_told(with_columns: Project) -> None:
    with_columns.edit(
        "params/papers/hcrn/tables.yaml",
        lambda content: content["hcrn_table1"]["columns"]["Avg"].update(protocol="plian"),
    )
    line = refusal(lambda: Recipes().table("hcrn_table1"))
    assert "hcrn_table1.columns.Avg.protocol" in line and "'plian'; did you mean 'plain'" in line


def test_stages_of_graph_pcnn_are_tested_each_in_its_way() -> None:
    table, experiment = REAL.table("gpcnn_table1"), "gpcnn/coco-128/r50"
    row = next(row for row in table.rows if experiment in table.terms(row, "stage2 AP"))
    ways = [REAL.protocol_in(table, row, column, experiment) for column in ("stage1 AP", "stage2 AP")]
    assert ways == ["quarter", "refined"]


# What a person gets wrong


PLAIN = {"scales": [1.0], "flip": True, "blur": 0}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"decode": "quarter", "blur": 3}, "decode: quarter reads maps as they are; give scales: .1.0. and blur: 0 al"),
        ({"decode": "maximum", "scales": [0.8, 1.0]}, "decode: maximum reads maps as they are"),
        ({"decode": "quarter", "pyramid": "region"}, "decode: quarter reads maps as they are"),
        ({"shift": 1}, "shift, refine: in cells of maps as they are; set decode: maximum, quarter or dark"),
        ({"refine": 0.85}, "shift, refine: in cells of maps as they are"),
        ({"decode": "dark"}, "kernel: an odd number of cells where decode is dark, else 0"),
        ({"decode": "dark", "kernel": 4}, "kernel: an odd number of cells"),
        ({"decode": "quarter", "kernel": 11}, "kernel: an odd number of cells"),
    ],
)
def test_a_way_to_decode_that_cannot_be_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Protocol.model_validate(PLAIN | changes)


@pytest.mark.parametrize("changes", [{"scales": [0.8, 1.0]}, {"pyramid": "region"}])
def test_pyramids_of_an_input_that_is_not_square_are_refused(project: Project, changes: dict[str, Any]) -> None:
    def narrow(content: dict[str, Any]) -> None:
        content["setups"]["lsp-pc"]["aspect"] = 0.75
        content["protocols"]["pyramid3"] = PLAIN | changes

    project.edit(EXPERIMENTS, narrow)
    line = refusal(lambda: Recipes().experiment("hcrn/lsp-pc/hg", "mini"))
    assert "protocols.pyramid3.scales: of an input that is not square (aspect 0.75) no pyramid is made" in line


def codec_of_graph_pcnn(name: str, **changes: Any) -> Callable[[], Any]:
    """Read its experiments with one of the codecs changed; None takes a key away."""
    path = PARAMS / "papers/gpcnn/experiments.yaml"
    content = copy.deepcopy(yaml_files.load(path))
    codec = content["setups"]["coco-128"]["codecs"][name]
    codec.update({key: value for key, value in changes.items() if value is not None})
    for key in [key for key, value in changes.items() if value is None]:
        del codec[key]
    return lambda: yaml_files.validate(path, content, ExperimentsFile)


@pytest.mark.parametrize(
    ("codec", "changes", "told"),
    [
        ("heatmaps", {"target": "disk"}, ".target: Input should be one of 'disc', 'gaussian', 'points', not 'disk'"),
        ("heatmaps", {"target": None}, ".target: Field required"),
        ("heatmaps", {"raduis": 3}, ".raduis: unknown key; did you mean 'radius'?"),
        ("points", {"positve": 3}, ".positve: unknown key; did you mean 'positive'?"),
        ("points", {"regression": -1}, ".regression: Input should be greater than or equal to 0"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_codec_is_told_of_the_kind_that_it_is(codec: str, changes: dict[str, Any], told: str) -> None:
    line = refusal(codec_of_graph_pcnn(codec, **changes))
    assert line.endswith(f"experiments.yaml: setups.coco-128.codecs.{codec}{told}")


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: REAL.scale("papper"), ["params/scales.yaml", "scale 'papper'", "'paper'"]),
        (lambda: REAL.table("hcrn_table11"), ["tables.yaml", "table 'hcrn_table11'", "'hcrn_table1'"]),
        (lambda: REAL.source("lpset"), ["params/datasets", "data set 'lpset'", "'lspet'"]),
        (lambda: REAL.experiment("hcrn/lsp-pc/hgg", "mini"), ["experiments.yaml", "'hcrn/lsp-pc/hgg'", "lsp-pc/hg'"]),
        (lambda: REAL.experiment("hcrm/lsp-pc/hg", "mini"), ["experiments.yaml", "'hcrm/lsp-pc/hg'", "'hcrn/"]),
        (lambda: REAL.experiment("hcrn/lsp-pc/hg", "mini0"), ["params/scales.yaml", "scale 'mini0'", "'mini'"]),  # type: ignore[arg-type]
        (lambda: REAL.annotation("imagenet-vgg16", "paper"), ["imagenet-vgg16.yaml", "reader", "not people"]),
    ],
)  # fmt: skip
def test_an_unknown_name_is_told_with_its_nearest(call: Callable[[], Any], told: list[str]) -> None:
    line = refusal(call)
    assert [part for part in told if part not in line] == []


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("scales.yaml", "    warmup: 0.5", "    warmpu: 0.5", "trainings.hourglass.warmpu: unknown key.*'warmup'"),
        ("scales.yaml", "    epochs: ", "    epohcs: ", "trainings.hourglass.epohcs: unknown key.*'epochs'"),
        ("datasets/lsp.yaml", "by_hand:", "byhand:", "byhand: unknown key.*'by_hand'"),
        ("datasets/lsp.yaml", "licence:", "license:", "license: unknown key.*'licence'"),
        ("papers/hcrn/tables.yaml", "  notes:", "  note:", "hcrn_table1.note: unknown key.*'notes'"),
        (
            "papers/hcrn/tables.yaml",
            "  row_header:",
            "  rowheader:",
            "hcrn_table1.rowheader: unknown key.*'row_header'",
        ),
        ("papers/hcrn/experiments.yaml", "momentum:", "momemtum:", "sgd.optimizer.momemtum: unknown key.*'momentum'"),
        ("papers/hcrn/experiments.yaml", "{rotation:", "{rotaton:", "augment.rotaton: unknown key.*'rotation'"),
    ],
)
def test_a_misspelt_key_is_told_with_the_right_one(project: Project, file: str, old: str, new: str, told: str) -> None:
    project.replace(f"params/{file}", old, new)
    with pytest.raises(InputError, match=f"params/{file}: .*{told}"):
        resolve()


def test_gpus_without_as_many_processes_are_refused(project: Project) -> None:
    project.edit("params/scales.yaml", lambda scales: scales["mini"]["resources"]["train"].update(gpu=4))
    with pytest.raises(InputError, match="mini.resources.train: gpu: 4 needs as many processes, not 1"):
        resolve()


def test_the_shares_of_a_training_are_those_of_its_stages(project: Project) -> None:
    project.edit(EXPERIMENTS, lambda content: content["trainings"]["hourglass"].update(shares=4))
    assert Recipes().experiment("hcrn/lsp-pc/hg", "paper").stage("main").shares == 4


def test_a_small_batch_is_normalised_whole(project: Project) -> None:
    project.edit(EXPERIMENTS, lambda content: content["trainings"]["hourglass"].update(shares=4))
    assert Recipes().experiment("hcrn/lsp-pc/hg", "mini").stage("main").shares == 1


@pytest.mark.parametrize(
    ("part", "good", "misspelt"),
    [
        ("networks", "hourglass", "hourglas"),
        ("trainings", "hourglass", "hourglas"),
        ("people", "lspet", "lpset"),
        ("resources", "train", "trian"),
        ("input", 368, 386),
    ],
)
def test_a_misspelt_name_of_what_a_scale_changes_does_not_go_unnoticed(
    project: Project, part: str, good: Any, misspelt: Any
) -> None:
    def misspell(scales: dict[str, Any]) -> None:
        scales["mini"][part][misspelt] = scales["mini"][part].pop(good)

    project.edit("params/scales.yaml", misspell)
    with pytest.raises(InputError, match=f"params/scales.yaml: mini.{part}.*{misspelt}"):
        resolve()


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        (EXPERIMENTS, "training: hourglass", "training: hourglas", "no training 'hourglas'; did you mean 'hourglass'"),
        (EXPERIMENTS, "protocols: [pyramid3]", "protocols: [piramid3]", "no protocol 'piramid3'; .*'pyramid3'"),
        (EXPERIMENTS, "  lsp-pc:", "  lsp-cp:", "no setup 'lsp-pc'; did you mean 'lsp-"),
        (EXPERIMENTS, "skeleton: lsp", "skeleton: lps", "'lps'"),
        (EXPERIMENTS, "labels: pc", "labels: cp", "'cp'"),
        (EXPERIMENTS, "train: [lsp/train", "train: [lsp/trian", "'trian'"),
        (EXPERIMENTS, "test: lsp/test", "test: lsp/tset", "'tset'"),
        ("params/papers/hcrn/tables.yaml", "protocol: pyramid3", "protocol: pyramid4", "'pyramid4'"),
        ("params/papers/hcrn/tables.yaml", "HG: hcrn/lsp-pc/hg", "HG: hcrn/lsp-pc/gh", "'hcrn/lsp-pc/gh'"),
        ("params/datasets/lsp.yaml", "reader: lsp", "reader: lps", "'lps'"),
    ],
    ids=lambda value: value if "[" not in value else "",
)
def test_a_name_inside_params_that_leads_nowhere_is_told_before_anything_runs(
    project: Project, file: str, old: str, new: str, told: str
) -> None:
    project.replace(file, old, new)
    with pytest.raises(InputError, match=told):
        resolve()


@pytest.mark.parametrize("origin", ["hcrn/lsp-pc/hg/frist", "hcrn/lsp-pc/gh/first", "imagenet-vgg61"])
def test_weights_that_do_not_exist_are_told(project: Project, origin: str) -> None:
    def misspell(content: dict[str, Any]) -> None:
        in_two_stages(content)
        content["experiments"]["lsp-pc/hg"]["stages"]["second"]["init"] = {"": origin}

    project.edit(EXPERIMENTS, misspell)
    line = refusal(lambda: Artifacts(Recipes(), "paper").train("hcrn/lsp-pc/hg", "second", 0))
    assert origin.rpartition("/")[2] in line or "lsp-pc/gh" in line


def test_a_key_that_is_given_twice_is_told_with_its_line(project: Project) -> None:
    project.replace("params/scales.yaml", "  synthetic: true", "  synthetic: true\n  synthetic: false")
    with pytest.raises(InputError, match="params/scales.yaml: .*synthetic is given twice.*line"):
        resolve()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"mini: [", "params/scales.yaml: not YAML"),
        (b"", "params/scales.yaml: holds no keys"),
        (b"- mini\n", "params/scales.yaml: holds no keys"),
        (b"mini: 3\n", "params/scales.yaml: mini: "),
        (b"\xff\xfe\x00", "params/scales.yaml: not "),
        (b"mini: !!python/object/apply:os.getcwd []\n", "params/scales.yaml: not YAML"),
    ],
)
def test_a_file_that_is_no_set_of_params_is_told(project: Project, content: bytes, told: str) -> None:
    Path("params/scales.yaml").write_bytes(content)
    assert refusal(resolve).startswith(told)


def test_a_missing_file_is_told_with_the_place_to_run_from(project: Project) -> None:
    Path("params/scales.yaml").unlink()
    assert refusal(resolve) == "params/scales.yaml: No such file or directory; run from the root of the project"


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("epochs: 250", "epochs: 0", "trainings.sgd.epochs"),
        ("lr: 1.27", "lr: -1", "trainings.sgd.optimizer.lr"),
        ("radius: 10", "radius: 0", "setups.lsp-pc.codecs.*.radius"),
        ("flip: 0.5", "flip: 50", "setups.lsp-pc.augment.flip"),
        ("target: disc", "target: disk", "setups.lsp-pc.codecs.*.target"),
    ],
)
def test_a_number_or_word_that_makes_no_sense_is_told_with_its_key(
    project: Project, old: str, new: str, key: str
) -> None:
    project.replace(EXPERIMENTS, old, new)
    assert refusal(resolve).startswith(f"{EXPERIMENTS}: {key}: ")


@pytest.mark.parametrize(
    ("split", "told"),
    [
        ("mpii/val", "validation: mpii/val: mpii/val has the joints of mpii, not lsp"),
        ("lspet/train", "validation: lspet/train: scored by nothing, lsp by pck, pcp; name another split"),
        ("lsp/vall", "no split of lsp 'vall'"),
    ],
)
def test_people_for_validation_who_cannot_be_scored_are_told(project: Project, split: str, told: str) -> None:
    def validated(content: dict[str, Any]) -> None:
        content["experiments"]["lsp-pc/hg"]["stages"]["main"]["validation"] = split

    project.edit("params/papers/hcrn/experiments.yaml", validated)
    with pytest.raises(InputError, match=told):
        Recipes().experiment("hcrn/lsp-pc/hg", "mini")
