"""Params become recipes, or one line that names file, key and remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from posetables.errors import InputError
from posetables.params import Recipes
from posetables.recipe import SCALES
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
    assert recipe.augment.model_dump() == {"rotation": 40, "scale": (0.7, 1.3), "flip": 0.5, "colour": (1, 1)}
    assert recipe.codecs["*"].model_dump() == {
        "target": "disc", "radius": 10, "loss": "cross-entropy", "background": True, "activation": "sigmoid",
        "finest": None, "structure": 0,
    }  # fmt: skip
    assert (training.optimizer.name, training.epochs) == ("sgd", 250)


def without_what_a_scale_may_change(name: str, scale: Any) -> dict[str, Any]:
    recipe, side = REAL.experiment(name, scale), REAL.experiment(name, "paper").input
    content = recipe.model_dump(mode="json", exclude={"input", "compute"})
    networks, backbone = REAL.scale("mini").networks, str(recipe.network.arguments["backbone"])
    sizes = networks.get(f"{recipe.network.paper}/{backbone}", networks[backbone])
    for size in sizes:
        content["network"]["arguments"].pop(size, None)
    for codec in content["codecs"].values():
        del codec["radius"]
    for protocol in content["protocols"].values():
        protocol["blur"] = pytest.approx(protocol["blur"] * side / recipe.input)
        boxes = protocol["boxes"]
        protocol["boxes"] = REAL.scale("mini").detectors.get(boxes, boxes)
    for stage in content["stages"].values():
        for key in ("epochs", "batch", "warmup", "init"):
            del stage[key]
        if stage["masking"]:
            stage["masking"]["patch"] = pytest.approx(stage["masking"]["patch"] * side / recipe.input)
        del stage["optimizer"]["lr"], stage["optimizer"]["clip"]
    return content


@pytest.mark.parametrize("name", REAL.experiments)
@pytest.mark.parametrize("scale", ["mini", "lite"])
def test_a_small_scale_changes_only_size_length_start_and_detectors(name: str, scale: Any) -> None:
    small, paper = without_what_a_scale_may_change(name, scale), without_what_a_scale_may_change(name, "paper")
    assert {key for key in paper if small[key] != paper[key]} == set()


@pytest.mark.parametrize("scale", ["mini", "lite"])
def test_every_experiment_is_narrower_and_shorter_at_a_small_scale(scale: Any) -> None:
    for name in REAL.experiments:
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


# What a person gets wrong


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
    assert Recipes().experiment("hcrn/lsp-pc/hg", "mini").stage("main").shares == 4


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
