"""Training: the same weights to the byte whatever interrupts it or loads for it, and nothing from one that failed."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from posetables.cli import main
from posetables.data import skeletons
from posetables.data.codecs import MapCodec, Truth
from posetables.data.loading import Batch, training_batches
from posetables.data.people import read_crops
from posetables.params import Recipes
from posetables.recipe import Codec, Experiment, Masking, Optimizer, Plateau, Stage
from posetables.stages import network as networks
from posetables.stages import run, train
from posetables.stages.artifacts import Artifacts

if TYPE_CHECKING:
    from conftest import Project

HOURGLASS, VGG = "hcrn/lsp-pc/hg", "hcrn/lsp-pc/vgg16-hcrn"
EXPERIMENTS = "params/papers/hcrn/experiments.yaml"
STEPS = 8  # 16 people, 4 a step, 2 epochs
MINI = ("--scale", "mini")


def folder(experiment: str, stage: str = "main") -> Path:
    return Path("results/mini/train") / experiment / "seed0" / stage


def products(experiment: str) -> tuple[bytes, bytes]:
    return tuple((folder(experiment) / name).read_bytes() for name in ("weights.safetensors", "history.csv"))  # type: ignore[return-value]


def weights(experiment: str, stage: str = "main") -> dict[str, Tensor]:
    return load_file(folder(experiment, stage) / "weights.safetensors")


def restarts(experiment: str) -> int:
    return json.loads((folder(experiment) / "manifest.json").read_text())["circumstances"]["restarts"]


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry a training step."""
    done: list[int] = []
    supervise = train.supervise

    def counted(*arguments: Any) -> Tensor:
        done.append(len(done))
        return supervise(*arguments)

    monkeypatch.setattr(train, "supervise", counted)
    return done


def interrupt(project: Project, experiment: str, after: int) -> None:
    """Kill a training in the middle of a step; checkpoints come every step."""
    project.edit("params/scales.yaml", lambda it: it["mini"].update(checkpoint_seconds=0))
    supervise, calls = train.supervise, []

    def stop(*arguments: Any) -> Tensor:
        calls.append(1)
        if len(calls) > after:
            raise KeyboardInterrupt
        return supervise(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "supervise", stop)
        with pytest.raises(KeyboardInterrupt):
            main(["train", experiment, *MINI])


# The same bytes


def test_the_number_of_loader_processes_changes_no_byte(project: Project) -> None:
    found = []
    for workers in ("0", "1", "2"):
        project.run("train", HOURGLASS, "--workers", workers, *MINI)
        found.append(products(HOURGLASS))
        shutil.rmtree("results")
    assert found[0] == found[1] == found[2]


# VGG16 draws dropout and its SGD keeps momentum; the hourglass has batch statistics and RMSprop's averages.
@pytest.mark.parametrize("experiment", [HOURGLASS, VGG])
@pytest.mark.parametrize("after", [2, 4, 7], ids=["first epoch", "between epochs", "last step"])
def test_an_interrupted_training_ends_in_the_bytes_of_an_uninterrupted_one(
    project: Project, experiment: str, after: int, steps: list[int]
) -> None:
    project.run("train", experiment, *MINI)
    uninterrupted = products(experiment)
    shutil.rmtree("results")
    interrupt(project, experiment, after)
    assert not folder(experiment).joinpath("manifest.json").exists()
    steps.clear()
    project.run("train", experiment, *MINI)
    assert products(experiment) == uninterrupted
    assert len(steps) == STEPS - after
    assert restarts(experiment) == 1


def test_another_seed_gives_other_weights(project: Project) -> None:
    project.run("train", HOURGLASS, *MINI)
    project.run("train", HOURGLASS, "--seed", "1", *MINI)
    first, second = (Path(f"results/mini/train/{HOURGLASS}/seed{seed}/main/weights.safetensors") for seed in (0, 1))
    assert first.read_bytes() != second.read_bytes()


def test_a_finished_training_leaves_no_checkpoint(project: Project) -> None:
    interrupt(project, HOURGLASS, after=3)
    assert [path for path in Path("results/mini/checkpoints").rglob("*") if path.is_file()] != []
    project.run("train", HOURGLASS, *MINI)
    assert list(Path("results/mini/checkpoints").iterdir()) == []


def checkpoints() -> list[Path]:
    """Those of the one training there is, the oldest first."""
    return sorted(Path("results/mini/checkpoints").glob("*/*.pt"))


def test_a_checkpoint_that_was_being_written_when_the_power_went_is_not_in_the_way(project: Project) -> None:
    interrupt(project, HOURGLASS, after=3)
    (checkpoints()[0].parent / "aside").write_bytes(b"half of a checkpoint")
    project.run("train", HOURGLASS, *MINI)
    assert restarts(HOURGLASS) == 1


def test_the_last_two_checkpoints_are_kept(project: Project) -> None:
    interrupt(project, HOURGLASS, after=5)
    assert [path.name.partition("-")[0] for path in checkpoints()] == ["000000004", "000000005"]


@pytest.mark.parametrize(("damaged", "done"), [(1, 4), (2, 0)], ids=["the last", "both"])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(
    project: Project, steps: list[int], damaged: int, done: int
) -> None:
    project.run("train", HOURGLASS, *MINI)
    uninterrupted = products(HOURGLASS)
    shutil.rmtree("results")
    interrupt(project, HOURGLASS, after=5)
    for path in checkpoints()[-damaged:]:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    steps.clear()
    told = project.run("train", HOURGLASS, *MINI)
    assert len([line for line in told if "damaged; going on from the one before" in line]) == damaged
    assert len(steps) == STEPS - done
    assert products(HOURGLASS) == uninterrupted


@pytest.mark.parametrize(("asked", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_asked_to_stop_a_training_keeps_the_last_whole_step_and_says_so(
    project: Project, monkeypatch: pytest.MonkeyPatch, steps: list[int], asked: signal.Signals, code: int
) -> None:
    project.run("train", HOURGLASS, *MINI)
    uninterrupted = products(HOURGLASS)
    shutil.rmtree("results")
    counted = train.supervise

    def ask(*arguments: Any) -> Tensor:
        if len(steps) == STEPS + 4:
            signal.raise_signal(asked)
        return counted(*arguments)

    monkeypatch.setattr(train, "supervise", ask)
    project.stderr()
    assert main(["train", HOURGLASS, *MINI]) == code
    assert project.stderr().splitlines()[-1] == (
        f"stopped at step 5 of {STEPS} by {asked.name}; the same command goes on from there"
    )
    project.run("train", HOURGLASS, *MINI)
    assert len(steps) == 2 * STEPS
    assert products(HOURGLASS) == uninterrupted


def test_a_full_disk_is_told_when_a_checkpoint_does_not_fit(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full, which stands for a full disk")
    project.edit("params/scales.yaml", lambda it: it["mini"].update(checkpoint_seconds=0))
    artifacts = Artifacts(Recipes(), "mini")
    there = artifacts.checkpoints(artifacts.train(HOURGLASS, "main", 0))
    there.mkdir(parents=True)
    (there / "aside").symlink_to("/dev/full")
    assert main(["train", HOURGLASS, *MINI]) == 2
    assert "no space left on the disk" in capsys.readouterr().err
    assert not any(there.iterdir())


def test_those_who_watch_are_told_how_far_a_training_is(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "TOLD_SECONDS", 0)
    interrupt(project, HOURGLASS, after=6)
    (told,) = (json.loads(path.read_text()) for path in Path("results/mini/checkpoints").glob("*/progress.json"))
    assert told["experiment"] == HOURGLASS
    assert (told["step"], told["steps"], told["epoch"], told["epochs"]) == (6, STEPS, 1, 2)
    assert told["loss"] > 0


# What is written


def test_the_history_has_a_line_an_epoch(project: Project) -> None:
    project.run("train", HOURGLASS, *MINI)
    history = pd.read_csv(folder(HOURGLASS) / "history.csv")
    assert history["epoch"].tolist() == [1, 2]
    assert history["rate"].tolist() == pytest.approx([0.002, 0.002 * 0.1])  # the third milestone, at .8 of all steps
    assert np.isfinite(history["loss"]).all()


def test_the_loss_falls_on_people_seen_often_enough(project: Project) -> None:
    project.edit("params/scales.yaml", lambda it: it["mini"]["trainings"]["hourglass"].update(epochs=12))
    project.run("train", HOURGLASS, *MINI)
    loss = pd.read_csv(folder(HOURGLASS) / "history.csv")["loss"]
    assert loss.iloc[-1] < 0.6 * loss.iloc[0]


def test_a_loss_that_is_no_number_is_told_with_step_and_remedy(project: Project) -> None:
    project.edit("params/scales.yaml", lambda it: it["mini"]["trainings"]["hourglass"].update(lr=1e30))
    line = project.refusal("train", HOURGLASS, *MINI)
    assert "step 1: the loss is nan; lower " in line


# Stages


def staged(**second: Any) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        content["experiments"]["lsp-pc/hg"]["stages"] = {
            "first": {"training": "hourglass"},
            "second": {"training": "hourglass", **second},
        }

    return change


def moved(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    return {name for name in before if not torch.equal(before[name], after[name])}


def test_a_frozen_module_keeps_weights_and_running_statistics(project: Project) -> None:
    project.edit(EXPERIMENTS, staged(freeze=["backbone"]))
    project.run("train", HOURGLASS, "--stage", "second", *MINI)
    start = networks.build(Recipes().experiment(HOURGLASS, "mini").network, "lsp", seed=0).state_dict()
    assert moved(start, weights(HOURGLASS, "second")) == {"initial.weight", "initial.bias"}


def test_a_stage_starts_from_the_weights_of_another(project: Project) -> None:
    project.edit("params/scales.yaml", lambda it: it["mini"].update(pretrained=True))
    project.edit(EXPERIMENTS, staged(init={"": "hcrn/lsp-pc/hg/first"}, freeze=["backbone"]))
    for stage in ("first", "second"):
        project.run("train", HOURGLASS, "--stage", stage, *MINI)
    assert moved(weights(HOURGLASS, "first"), weights(HOURGLASS, "second")) == {"initial.weight", "initial.bias"}


def test_a_stage_whose_start_was_not_trained_is_refused(project: Project) -> None:
    project.edit("params/scales.yaml", lambda it: it["mini"].update(pretrained=True))
    project.edit(EXPERIMENTS, staged(init={"": "hcrn/lsp-pc/hg/first"}))
    line = project.refusal("train", HOURGLASS, "--stage", "second", *MINI)
    assert "results/mini/train/hcrn/lsp-pc/hg/seed0/first/manifest.json: missing" in line


@pytest.mark.parametrize(
    ("second", "told"),
    [({"freeze": ["bakcbone"]}, "bakcbone"), ({"supervise": ["intial"]}, "intial"), ({"init": {"hed": "x"}}, "hed")],
    ids=["freeze", "supervise", "init"],
)
def test_a_misspelt_part_of_the_network_is_told(project: Project, second: dict[str, Any], told: str) -> None:
    if "init" in second:
        project.edit("params/scales.yaml", lambda it: it["mini"].update(pretrained=True))
        second = {"init": {"hed": "hcrn/lsp-pc/hg/first"}}
    project.edit(EXPERIMENTS, staged(**second))
    if "init" in second:
        project.run("train", HOURGLASS, "--stage", "first", *MINI)
    assert told in project.refusal("train", HOURGLASS, "--stage", "second", *MINI)


def test_an_output_without_a_codec_is_told(project: Project) -> None:
    project.replace(EXPERIMENTS, '"*": ', "initial: ")
    assert "stack1" in project.refusal("train", HOURGLASS, *MINI)


# The parts


def codec(**changes: Any) -> Codec:
    return Codec.model_validate(
        {"target": "gaussian", "radius": 4, "loss": "l2", "background": False, "activation": "none"} | changes
    )


@pytest.fixture
def truth() -> Truth:
    joints = torch.rand(2, 3, 2, generator=torch.Generator().manual_seed(0)) * 32
    known = torch.ones(2, 3, dtype=torch.bool)
    return Truth(joints, known, known, 32)


@pytest.mark.parametrize("patterns", [["*"], ["stack*"], ["stack1", "refined"]])
def test_the_loss_is_the_sum_over_supervised_outputs(truth: Truth, patterns: list[str]) -> None:
    generator = torch.Generator().manual_seed(1)
    maps = {name: torch.randn(2, 3, 8, 8, generator=generator) for name in ("stack1", "stack2", "refined")}
    codecs = {"stack*": codec(), "*": codec(loss="cross-entropy")}
    expected = sum(
        MapCodec(codecs["stack*" if name.startswith("stack") else "*"]).loss(output, truth)
        for name, output in maps.items()
        if any(fnmatch(name, pattern) for pattern in patterns)
    )
    assert torch.allclose(train.supervise(maps, truth, codecs, patterns), torch.as_tensor(expected))


def test_an_output_that_is_not_supervised_gets_no_gradient(truth: Truth) -> None:
    maps = {name: torch.zeros(2, 3, 8, 8, requires_grad=True) for name in ("initial", "refined")}
    train.supervise(maps, truth, {"*": codec()}, ["refined"]).backward()  # type: ignore[no-untyped-call]
    assert maps["initial"].grad is None
    assert maps["refined"].grad is not None


def test_the_rate_climbs_to_its_value_and_falls_at_each_milestone() -> None:
    stage = Stage(
        optimizer=Optimizer(name="sgd", lr=2.0), batch=1, epochs=10, warmup=1.0, milestones={0.8: 0.01, 0.5: 0.1}
    )
    rates = [train.learning_rate(stage, epoch / 10, epoch, {}) for epoch in (0, 0.24, 0.49, 1, 4.9, 5, 7.9, 8, 9.9)]
    assert rates == pytest.approx([0.02, 0.5, 1.0, 2.0, 2.0, 0.2, 0.2, 0.02, 0.02])


def test_without_a_warm_up_the_rate_is_full_from_the_first_step() -> None:
    stage = Stage(optimizer=Optimizer(name="sgd", lr=2.0), batch=1, epochs=10)
    assert train.learning_rate(stage, 0.0, 0.0, {}) == 2.0


@pytest.mark.parametrize("seed", range(5))
def test_the_rate_falls_where_torchs_scheduler_lets_it_fall(seed: int) -> None:
    scores = np.random.default_rng(seed).random(60).round(1).tolist()
    stage = Stage(optimizer=Optimizer(name="sgd", lr=1.0), batch=1, epochs=60, plateau=Plateau(patience=4, factor=0.5))
    optimizer = torch.optim.SGD([torch.zeros(1)], 1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, "max", factor=0.5, patience=3, threshold=0, min_lr=0, eps=0
    )
    for epoch, score in enumerate(scores):
        history = {"score": scores[:epoch], "loss": [0.0] * epoch}
        assert train.learning_rate(stage, epoch / 60, epoch, history) == pytest.approx(optimizer.param_groups[0]["lr"])
        theirs.step(score)


def test_without_people_for_validation_the_loss_tells_a_plateau() -> None:
    stage = Stage(optimizer=Optimizer(name="sgd", lr=1.0), batch=1, epochs=9, plateau=Plateau(patience=2, factor=0.1))
    rates = [train.learning_rate(stage, 0.5, 5, {"loss": losses}) for losses in ([3, 2, 1], [3, 2, 2], [3, 2, 2, 2])]
    assert rates == pytest.approx([1, 1, 0.1])


def scored_each_epoch(content: dict[str, Any]) -> None:
    content["experiments"]["lsp-pc/hg"]["stages"]["main"]["validation"] = "lsp/test"


def test_a_validated_training_has_the_score_of_every_epoch_and_the_last_is_that_of_a_test(project: Project) -> None:
    project.edit(EXPERIMENTS, scored_each_epoch)
    single = {"scales": [1.0], "flip": False, "blur": 0}
    project.edit(EXPERIMENTS, lambda content: content["protocols"].update(pyramid3=single))
    for verb in ("train", "predict", "score"):
        project.run(verb, HOURGLASS, *MINI)
    scored = json.loads(Path(f"results/mini/scores/{HOURGLASS}/seed0/pyramid3.json").read_text())
    history = pd.read_csv(folder(HOURGLASS) / "history.csv")
    assert len(history) == 2
    assert history["score"].iloc[-1] == pytest.approx(scored["pck"]["Avg"]["value"])


def test_validation_changes_no_weight(project: Project) -> None:
    project.run("train", HOURGLASS, *MINI)
    before = products(HOURGLASS)[0]
    project.edit(EXPERIMENTS, scored_each_epoch)
    project.run("train", HOURGLASS, *MINI)
    assert products(HOURGLASS)[0] == before


def test_an_interrupted_training_that_is_validated_ends_in_the_same_bytes(project: Project) -> None:
    project.edit(EXPERIMENTS, scored_each_epoch)
    project.run("train", HOURGLASS, *MINI)
    uninterrupted = products(HOURGLASS)
    shutil.rmtree(folder(HOURGLASS))
    interrupt(project, HOURGLASS, after=5)
    project.run("train", HOURGLASS, *MINI)
    assert products(HOURGLASS) == uninterrupted


def test_masking_and_colours_leave_joints_and_labels_as_they_are(project: Project) -> None:
    recipe = Recipes().experiment(HOURGLASS, "mini")
    artifacts = Artifacts(Recipes(), "mini")
    parts = train.people(recipe, {name: artifacts.crop(name).outputs for name in ("lsp", "lspet")})
    stage, batch = recipe.stage("main"), next(training_batches(parts, 0, 8, range(1)))
    coloured = recipe.model_copy(update={"augment": recipe.augment.model_copy(update={"colour": (0.5, 1.5)})})
    masked = stage.model_copy(update={"masking": Masking(probability=1, patch=8)})
    device = torch.device("cpu")
    plain, (images, truth) = (
        train.Batches(recipe, stage, (64, 64), 16, 0, device)(batch),
        train.Batches(coloured, masked, (64, 64), 16, 0, device)(batch),
    )
    assert torch.equal(truth.joints, plain[1].joints)
    assert torch.equal(truth.labelled, plain[1].labelled)
    assert (images != plain[0]).flatten(1).any(1).all()


# Crops of one's own


STORE, DENSITY = 130, 64.0
COCO = skeletons.named("coco")
UPPER = 11  # joints of COCO before the hips
HR32 = "gpcnn/coco-128/hr32"


@pytest.fixture(scope="module")
def real() -> Recipes:
    return Recipes(Path(__file__).parents[2] / "params")


def marked(joint: int, *, people: int = 6, joints: int = 17) -> Batch:
    """People whose upper body alone is labelled, with a blob on mid grey at one of their joints, which is visible."""
    xy = torch.rand(people, joints, 2, generator=torch.Generator().manual_seed(0)) * 0.3 - 0.15
    xy[:, joint] = xy[:, :UPPER].mean(1) + torch.tensor([0.06, -0.04])  # the whole blob is seen in every region
    labelled = (torch.arange(joints) < UPPER).repeat(people, 1)
    place = xy[:, joint, :, None, None] * DENSITY + (STORE - 1) / 2
    y, x = torch.meshgrid(torch.arange(STORE), torch.arange(STORE), indexing="ij")
    blobs = 128 + 127 * torch.exp(-((x - place[:, 0]) ** 2 + (y - place[:, 1]) ** 2) / 2)
    crops = blobs.round().to(torch.uint8)[:, None].repeat(1, 3, 1, 1)
    visible = (torch.arange(joints) == joint).repeat(people, 1)
    return Batch(0, np.arange(people), crops, torch.full((people,), DENSITY), xy, labelled, visible)


def cropped(recipe: Experiment, batch: Batch, size: tuple[int, int], **augment: Any) -> tuple[Tensor, Truth]:
    """The batch as a training sees it, in colours minus a half."""
    changed = recipe.augment.model_copy(update=augment)
    recipe = recipe.model_copy(update={"augment": changed, "pixels": "centred"})
    return train.Batches(recipe, recipe.stage("main"), size, len(batch.people), 0, torch.device("cpu"))(batch)


def centre_of_light(image: Tensor) -> np.ndarray:
    light = (image[0].numpy() - 0.05).clip(0)
    y, x = np.mgrid[: light.shape[0], : light.shape[1]]
    return np.array([(light * x).sum(), (light * y).sum()]) / light.sum()


@pytest.mark.parametrize("half_body", [0.0, 1.0], ids=["whole bodies", "half bodies"])
@pytest.mark.parametrize("size", [(64, 64), (64, 48)], ids=["square", "narrow"])
def test_joints_go_with_their_pixels_through_all_augmentation(
    real: Recipes, size: tuple[int, int], half_body: float
) -> None:
    joint = COCO.index("left wrist")
    images, truth = cropped(real.experiment(HR32, "mini"), marked(joint), size, half_body=half_body)
    assert images.shape == (6, 3, *size) and truth.size == size[0]
    for image, joints, visible in zip(images, truth.joints, truth.visible, strict=True):
        np.testing.assert_allclose(centre_of_light(image), joints[visible][0], atol=0.3)


def test_half_a_body_fills_the_input_but_for_its_margin(real: Recipes) -> None:
    still = {"rotation": 0, "scale": (1.0, 1.0), "flip": 0.0, "half_body": 1.0}
    _, truth = cropped(real.experiment(HR32, "mini"), marked(0), (64, 48), **still)
    first, last = (getattr(truth.joints[:, :UPPER], end)(1) for end in ("amin", "amax"))
    width, height = (last - first).unbind(1)
    torch.testing.assert_close(torch.maximum(height, width / 0.75), torch.full((6,), 64 / 1.5))


@pytest.mark.parametrize(("flip", "name"), [(0.0, "left wrist"), (1.0, "right wrist")])
def test_what_is_visible_of_a_flipped_person_changes_its_name_too(real: Recipes, flip: float, name: str) -> None:
    _, truth = cropped(real.experiment(HR32, "mini"), marked(COCO.index("left wrist")), (64, 48), flip=flip)
    assert truth.visible.nonzero()[:, 1].tolist() == [COCO.index(name)] * 6


def test_people_are_trained_on_in_the_joints_that_there_are_maps_of(project: Project) -> None:
    """LSP's people in MPII's joints: no pelvis and no thorax, LSP's neck as the upper one."""
    recipe = Recipes().experiment("phr/lsp/res", "mini")
    (part,) = train.people(recipe, {"lsp": Artifacts(Recipes(), "mini").crop("lsp").outputs})
    lsp, mpii = skeletons.named("lsp"), skeletons.named("mpii")
    own = read_crops(Artifacts(Recipes(), "mini").crop("lsp").outputs["crops"].parent, "train", "pc", range(14))
    assert {mpii.joints[j] for j in np.flatnonzero(~part.labelled.any(0))} == {"pelvis", "thorax"}
    np.testing.assert_array_equal(part.joints[:, mpii.index("upper neck")], own.joints[:, lsp.index("neck")])


# Optimizers


def test_adam_takes_the_steps_of_its_paper() -> None:
    """Kingma & Ba, algorithm 1."""
    weight = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    optimizer = train.build_optimizer(Optimizer(name="adam", lr=0.01), [weight])
    expected, first, second = np.array([1.0, -2.0]), np.zeros(2), np.zeros(2)
    for step, gradient in enumerate(np.random.default_rng(0).normal(size=(5, 2)), start=1):
        weight.grad = torch.tensor(gradient, dtype=torch.float32)
        optimizer.step()
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        expected -= 0.01 * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
        np.testing.assert_allclose(weight.detach(), expected, atol=1e-6)


# Guided points


def guided(real: Recipes, people: list[int], epoch: int = 0) -> tuple[Any, ...]:
    """What Graph-PCNN is given beside images of 64 x 64, of people whose joints are all in one place."""
    recipe = real.experiment("gpcnn/lsp/r50", "mini")
    guide = train.guidance(recipe, networks.build(recipe.network, recipe.maps_of), (64, 64), seed=0)
    assert guide is not None
    known = torch.ones(len(people), 14, dtype=torch.bool)
    return guide(Truth(torch.full((len(people), 14, 2), 22.0), known, known, 64), epoch, np.array(people))


def test_a_network_without_a_second_stage_is_given_images_alone(real: Recipes) -> None:
    recipe = real.experiment("gpcnn/lsp/sbn-r50", "mini")
    assert train.guidance(recipe, networks.build(recipe.network, recipe.maps_of), (64, 64), seed=0) is None


def test_a_second_stage_is_given_joints_in_cells_and_its_radii(real: Recipes) -> None:
    joints, positive, reliable, _ = guided(real, [0, 1])
    sigma = real.experiment("gpcnn/lsp/r50", "mini").codecs["points"].radius / 4
    assert (joints == 22 / 4).all()
    assert (positive, reliable) == (3 * sigma, 2 * sigma)


def test_a_second_stage_is_given_three_numbers_for_each_of_its_points(real: Recipes) -> None:
    *_, uniform = guided(real, [0, 1])
    assert uniform.shape == (2, 14, 16, 3)  # 16 x 16 cells / 16
    assert uniform.dtype == torch.float32 and uniform.min() >= 0 and uniform.max() <= 1


def test_a_persons_points_do_not_depend_on_who_shares_the_batch(real: Recipes) -> None:
    assert torch.equal(guided(real, [3, 1, 5])[3][0], guided(real, [0, 3])[3][1])


def test_epochs_have_points_of_their_own(real: Recipes) -> None:
    assert not torch.equal(guided(real, [3], epoch=0)[3], guided(real, [3], epoch=1)[3])


def test_a_training_on_points_moves_both_stages(real: Recipes) -> None:
    recipe = real.experiment("gpcnn/lsp/r50", "mini")
    network: Any = networks.build(recipe.network, recipe.maps_of)
    joints, labelled = torch.rand(2, 14, 2) * 64, torch.ones(2, 14, dtype=torch.bool)
    truth, guide = Truth(joints, labelled, labelled, 64), train.guidance(recipe, network, (64, 64), 0)
    assert guide is not None
    outputs = network(torch.rand(2, 3, 64, 64), *guide(truth, 0, np.arange(2)))
    train.supervise(outputs, truth, recipe.codecs, ["*"]).backward()  # type: ignore[no-untyped-call]
    for stage in (network.backbone, network.localisation, network.refinement):
        assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in stage.parameters())
        assert any(weight.grad.any() for weight in stage.parameters())


def test_joints_of_another_data_set_are_found_by_name() -> None:
    """MPII's upper neck is what LSP calls the neck."""
    lsp, mpii = skeletons.named("lsp"), skeletons.named("mpii")
    names = [None if number is None else mpii.joints[number] for number in mpii.numbers(lsp)]
    assert names == ["upper neck" if joint == "neck" else joint for joint in lsp.joints]
    back = [None if number is None else lsp.joints[number] for number in lsp.numbers(mpii)]
    assert back == [{"upper neck": "neck", "pelvis": None, "thorax": None}.get(joint, joint) for joint in mpii.joints]
    lacking = [lsp.joints[i] for i, j in zip(range(14), skeletons.named("flic").numbers(lsp), strict=True) if j is None]
    assert lacking == ["right ankle", "right knee", "left knee", "left ankle", "head top"]


def test_what_a_person_looks_like_does_not_depend_on_who_shares_the_batch(project: Project) -> None:
    recipe = Recipes().experiment(HOURGLASS, "mini")
    artifacts = Artifacts(Recipes(), "mini")
    parts = train.people(recipe, {name: artifacts.crop(name).outputs for name in ("lsp", "lspet")})

    def images(*people: int) -> Tensor:
        part = parts[0]
        batch = Batch(
            1,
            np.array(people),
            torch.from_numpy(np.stack([part.store[part.row[i]] for i in people])),
            torch.from_numpy(part.density[list(people)]),
            torch.from_numpy(part.joints[list(people)]),
            torch.from_numpy(part.labelled[list(people)]),
            torch.from_numpy(part.visible[list(people)]),
        )
        return train.Batches(recipe, recipe.stage("main"), (64, 64), 16, 0, torch.device("cpu"))(batch)[0]

    assert torch.equal(images(3, 1, 5)[0], images(0, 3)[1])
