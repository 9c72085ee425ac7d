"""What would run, how long it takes and how that is known: against sums done by hand."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from posetables.cli import main
from posetables.params import Recipes
from posetables.provenance.artifact import Artifact
from posetables.running import sizes
from posetables.running.cluster import Node, Partition
from posetables.running.estimates import Estimate
from posetables.running.limits import Profile, limits, profile
from posetables.running.plan import Job, longest_path, to_make, wall_seconds
from posetables.schemas import Request
from posetables.stages import checkpoints
from posetables.stages.artifacts import Artifacts

if TYPE_CHECKING:
    from conftest import Project

    from posetables.recipe import ScaleName

ROW, OTHER = "hcrn/lsp-pc/vgg16-hcrn", "hcrn/lsp-pc/vgg16-holistic"
SCALES = "params/scales.yaml"
MANIFEST = Path(f"results/mini/train/{ROW}/seed0/main/manifest.json")

Planned = Callable[..., dict[str, Any]]


def artifact(name: str, *inputs: Artifact, stage: str = "train") -> Artifact:
    return Artifact(
        stage, {}, (), {}, Path(name) / "manifest.json", {each.manifest.parent.name: each for each in inputs}
    )


def job(made: Artifact, seconds: float, request: Request | None = None) -> Job:
    return Job(made, "missing", Estimate(seconds, "measured", ""), request)


A = artifact("a")
B, D = artifact("b", A), artifact("d", A)
C = artifact("c", B)
JOBS = [job(A, 10), job(B, 20), job(D, 25), job(C, 30)]
"""a, then b and c after it, and d beside them."""


def test_the_longest_path_adds_what_waits_for_each_other() -> None:
    path = longest_path(JOBS)
    assert [each.artifact for each in path] == [A, B, C]
    assert sum(each.seconds for each in path) == 10 + 20 + 30


@pytest.mark.parametrize(("slots", "seconds"), [(1, 10 + 20 + 25 + 30), (2, 10 + 20 + 30), (99, 10 + 20 + 30)])
def test_wall_time_with_so_many_jobs_at_a_time(slots: int, seconds: float) -> None:
    assert wall_seconds(JOBS, slots) == seconds


def test_who_has_the_longest_way_ahead_goes_first() -> None:
    """Two at a time: b and d run first, c with e; d before b would end 5 s later."""
    e = artifact("e", A)
    assert wall_seconds([*JOBS, job(e, 25)], 2) == 10 + 25 + 25


def test_nothing_is_made_behind_what_is_there() -> None:
    assert to_make([C, D], {A: "missing", B: "behind", C: "stale", D: "current"}) == [C]


def test_behind_what_is_not_there_everything_is_made() -> None:
    assert to_make([C, D], {A: "recorded", B: "missing", C: "stale", D: "current"}) == [A, B, C]


@pytest.fixture
def planned(with_table: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Planned:
    """The plan of some targets at mini scale, as programs get it."""

    def run(*targets: str) -> dict[str, Any]:
        capsys.readouterr()
        assert main(["plan", *(targets or ("hcrn_table1",)), "--scale", "mini", "--json"]) == 0
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    monkeypatch.setenv("PATH", "/nowhere")
    return run


def train_longer(project: Project) -> None:
    project.edit(SCALES, lambda scales: scales["mini"]["trainings"]["vgg16"].update(epochs=6))


def trainings(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for each in found["jobs"] if each["stage"] == "train"]


def took(seconds: float) -> None:
    """Let the training of the row have taken so long."""
    record = json.loads(MANIFEST.read_text())
    record["circumstances"]["seconds"] = seconds
    MANIFEST.write_text(json.dumps(record))


def forget(*kinds: str) -> None:
    """As on a disk where nothing of these kinds was ever made."""
    for kind in kinds:
        shutil.rmtree(f"results/mini/{kind}")


def test_what_is_made_is_not_planned(planned: Planned) -> None:
    assert planned()["jobs"] == []


def test_jobs_are_those_that_a_change_reaches(planned: Planned, with_table: Project) -> None:
    train_longer(with_table)
    stages = [each["stage"] for each in planned()["jobs"]]
    assert sorted(stages) == sorted(["train", "predict", "score"] * 2 + ["tabulate"])


def test_a_row_counts_what_it_shares_and_the_whole_counts_it_once(planned: Planned, with_table: Project) -> None:
    train_longer(with_table)
    shutil.rmtree("data/prepared/mini/lspet")
    found = planned()
    assert {part["name"]: part["jobs"] for part in found["parts"]} == {"VGG16-HCRN": 5, "VGG16-Holistic": 5}
    assert len(found["jobs"]) == 2 + 2 * 3 + 1  # people and crops of LSPET; train, predict, score; the table


def test_one_row_is_planned_alone(planned: Planned, with_table: Project) -> None:
    train_longer(with_table)
    found = planned("hcrn_table1", "--row", "VGG16-HCRN")
    assert [each["stage"] for each in found["jobs"]] == ["train", "predict", "score"]
    assert OTHER not in json.dumps(found)


def test_a_stale_manifest_is_a_measurement_for_the_epochs_of_today(planned: Planned, with_table: Project) -> None:
    took(100.0)
    train_longer(with_table)  # 2 epochs before, now 6
    found = next(each for each in trainings(planned()) if ROW in each["manifest"])
    assert (found["origin"], found["basis"], found["seconds"]) == ("measured", str(MANIFEST), 300.0)


def test_another_seed_is_a_measurement(planned: Planned) -> None:
    took(100.0)
    MANIFEST.parents[1].rename(MANIFEST.parents[1].with_name("seed7"))
    forget("predictions", "scores")
    (found,) = trainings(planned(ROW))
    assert (found["origin"], found["seconds"]) == ("measured", 100.0)


def test_an_interrupted_run_is_no_measurement(planned: Planned, with_table: Project) -> None:
    record = json.loads(MANIFEST.read_text())
    record["circumstances"]["restarts"] = 1
    MANIFEST.write_text(json.dumps(record))
    train_longer(with_table)
    assert {each["manifest"]: each["origin"] for each in trainings(planned())}[str(MANIFEST)] == "declared"


def test_of_a_training_under_way_the_rest_counts(planned: Planned, with_table: Project) -> None:
    train_longer(with_table)
    (training,) = (each for each in _artifacts("mini").everything() if each.manifest == MANIFEST)
    folder = Path("results/mini/checkpoints") / training.identity
    folder.mkdir(parents=True)
    told = {"step": 30, "steps": 100, "epoch": 3, "epochs": 10, "host": "n1", "at": "2026-01-01T00:00:00+00:00"}
    (folder / "progress.json").write_text(json.dumps(told | {"seconds_per_step": 0.5}))
    found = next(each for each in trainings(planned()) if each["manifest"] == str(MANIFEST))
    assert (found["origin"], found["seconds"]) == ("measured", 35.0)


def test_a_cpu_measures_nothing_of_what_asks_for_a_gpu(planned: Planned, with_table: Project) -> None:
    train_longer(with_table)
    with_table.edit(SCALES, lambda scales: scales["mini"]["resources"]["train"].update(gpu=2, processes=2, runtime=90))
    found = planned()
    assert {each["origin"] for each in trainings(found)} == {"declared"}
    assert found["gpu_seconds"]["declared"] == 2 * (2 * 90 * 60)
    assert found["parts"][0]["gpu_seconds"]["declared"] == 2 * 90 * 60


def test_without_a_measurement_the_declared_run_time_counts(planned: Planned) -> None:
    forget("train", "predictions", "scores")
    (found,) = trainings(planned(ROW))
    assert (found["origin"], found["seconds"]) == ("declared", 10 * 60)
    assert found["basis"] == "mini.resources.train.runtime"


def test_a_probe_is_multiplied_by_the_steps_and_remembered(planned: Planned, with_table: Project) -> None:
    forget("train", "predictions", "scores")
    for dataset in ("lsp", "lspet"):
        people = {"train": {"people": 8}}
        with_table.edit(f"params/datasets/{dataset}.yaml", lambda source, people=people: source.update(counts=people))
    weights = str(MANIFEST.with_name("weights.safetensors"))
    (probed,) = trainings(planned(weights, "--probe"))
    assert probed["origin"] == "probed"
    (file,) = (path for path in Path(".posetables/probes").iterdir() if '"probes"' in path.read_text())
    step = json.loads(file.read_text())["probes"][0]
    assert probed["seconds"] == pytest.approx(2 * (16 // 4) * step["seconds"])  # epochs, people, batch
    assert probed["basis"] == step["processor"]
    assert trainings(planned(weights)) == [probed]


def test_what_asks_for_a_gpu_is_counted_and_not_timed_on_a_cpu(
    planned: Planned, with_table: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    counted = json.loads(Path(f"results/mini/scores/{ROW}/cost.json").read_text())["parameters"]["value"]
    forget("train", "predictions", "scores")
    with_table.edit(SCALES, lambda scales: scales["mini"]["resources"]["train"].update(gpu=1))
    assert main(["plan", ROW, "--scale", "mini", "--probe"]) == 0
    assert "1 job not timed" in capsys.readouterr().err
    found = planned(ROW)
    assert [each["origin"] for each in trainings(found)] == ["declared"]
    assert found["disk"]["needed"]["weights"] == {"bytes": 4 * counted, "unknown": 0}


def test_bytes_of_crops_follow_from_people_and_resolution(
    with_table: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "data/prepared/lsp/crops.npy", "--json"]) == 0
    needed = json.loads(capsys.readouterr().out)["disk"]["needed"]
    assert needed["crops"] == {"bytes": 2000 * 3 * 780**2, "unknown": 0}  # 384 * 2.03 = 780


def test_room_is_planned_for_as_many_checkpoints_as_are_kept() -> None:
    assert sizes.KEPT == checkpoints.KEPT


def test_downloads_are_declared_or_said_to_be_unknown(with_table: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", ROW, "--json"]) == 0
    found = {each["dataset"]: each for each in json.loads(capsys.readouterr().out)["downloads"]}
    assert (found["imagenet-vgg16"]["bytes"], found["imagenet-vgg16"]["origin"]) == (553_433_881, "network")
    assert (found["lsp"]["bytes"], found["lsp"]["origin"]) == (None, "by hand")  # the fixture takes its addresses away


def test_what_the_mirror_has_is_not_downloaded(
    with_table: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSETABLES_MIRROR", str(with_table.root / "mirror"))
    assert main(["plan", "data/raw/lspet.labels.manifest.json", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["downloads"]
    size = (with_table.root / "mirror/lspet/joints.mat").stat().st_size
    assert (found["origin"], found["bytes"]) == ("mirror", size)


def test_a_person_is_told_shares_by_origin_wall_time_and_the_cluster(
    with_table: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert main(["plan", "hcrn_table1"]) == 0
    told = capsys.readouterr().out
    # Two trainings of 48 h, two tests of 2 h, two measurements of 20 min, each on a GPU.
    assert "declared        100.7 GPU-hours (100%) in 8 jobs: at most" in told
    assert "wall time       at most 2 d 6 h without a limit on jobs: crop 4 h > train 2 d > predict 2 h" in told
    assert "no Slurm on this machine" in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["hcrn_tabel1"], "hcrn_tabel1: no item, experiment or artifact"),
        (["hcrn_table1", "--row", "VGG16"], "hcrn_table1: no row 'VGG16'"),
        (["--row", "VGG16-HCRN"], "--row VGG16-HCRN: name the one table"),
        ([ROW, "--row", "VGG16-HCRN"], f"no table '{ROW}'"),
        (["hcrn_table1", "--jobs", "0"], "--jobs 0: not a number of jobs"),
    ],
)
def test_what_cannot_be_planned_is_refused_in_one_line(with_table: Project, arguments: list[str], told: str) -> None:
    assert told in with_table.refusal("plan", *arguments, "--scale", "mini")


def test_torch_is_not_loaded_without_a_probe(with_table: Project) -> None:
    code = (
        "import sys; from posetables.cli import main; main(['plan', '--scale', 'mini']); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


class Answer:
    """A cluster of one node with four GPUs, and two days for a job."""

    def answer(self, name: str | None) -> Partition:
        return Partition(name or "", 2880, None, (Node("n1", 64, 512000, {"": 4}, is_up=True),))


REQUEST = Request(gpu=1, mem_mb=1, runtime=2880)


@pytest.mark.parametrize(
    ("hours", "retries", "strikes", "warnings"),
    [(48, 0, 0, 0), (49, 1, 1, 0), (100, 2, 2, 0), (100, 1, 2, 1)],  # with two days a time
)
def test_a_training_longer_than_the_limit_is_cut_and_goes_on_as_often_as_it_is_restarted(
    project: Project, hours: float, retries: int, strikes: int, warnings: int
) -> None:
    found = limits(
        [job(A, 3600 * hours, REQUEST)],
        _artifacts("paper"),
        Profile(50, 0, retries, "gpu", most_minutes=2880),
        Answer(),
    )
    assert [re.findall(r"by (\d+) strike", line) for line in found.strikes] == ([[str(strikes)]] if strikes else [])
    assert len(found.warnings) == warnings


def test_a_retry_that_no_node_can_meet_is_told(project: Project) -> None:
    """A retry asks for twice the time and memory, up to what the profile says that the cluster has."""
    jobs = [job(A, 60, REQUEST.model_copy(update={"mem_mb": 200_000}))]
    (line,) = limits(jobs, _artifacts("paper"), Profile(50, 0, 1, "gpu", most_mb=300_000), Answer()).warnings
    assert "a retry of train would wait for ever in gpu: runtime: 5760 minutes, where a job has 2880" in line
    assert "mem_mb" not in line
    assert not limits(jobs, _artifacts("paper"), Profile(50, 0, 1, "gpu", 2880, 300_000), Answer()).warnings


def test_the_projects_profile_is_read_as_snakemake_reads_it(
    with_table: Project,
) -> None:
    Path("slurm").mkdir()
    Path("slurm/config.yaml").write_text(
        "jobs: 7\nretries: 1\npreemptible-rules: [train_stage]\npreemptible-retries: 9\n"
        "resources: [runtime=100, mem_mb=5000]\ndefault-resources: [slurm_partition=gpu, runtime=attempt * 20]\n"
    )
    assert profile() == Profile(7, 1, 9, "gpu", 100, 5000)


def test_a_profile_without_numbers_is_refused(with_table: Project) -> None:
    Path("slurm").mkdir()
    Path("slurm/config.yaml").write_text("jobs: many\n")
    assert "slurm/config.yaml: jobs: 'many' is no whole number" in with_table.refusal("plan", "--scale", "mini")


def test_what_has_no_checkpoints_must_not_outlast_its_limit(project: Project) -> None:
    test = job(artifact("t", stage="predict"), 3600 * 49, REQUEST)
    (line,) = limits([test], _artifacts("paper"), Profile(50, 2, 2, "gpu", most_minutes=2880), Answer()).warnings
    assert line.startswith("params/scales.yaml: resources.predict.runtime: 1 jobs take longer")


def test_gpu_hours_over_gpus_bound_the_wall_time(project: Project) -> None:
    found = limits(
        [job(A, 3600, REQUEST), job(D, 7200, REQUEST)], _artifacts("paper"), Profile(50, 2, 2, "gpu"), Answer()
    )
    assert found.gpu_bound_seconds == 3 * 3600 / 4


def _artifacts(scale: ScaleName) -> Artifacts:
    return Artifacts(Recipes(), scale)
