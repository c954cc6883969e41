"""A teacher's masks into a small student: what is kept out, how it is judged, and folders of positions as they are."""

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile

from n2seg_utils import SegmentSettings, UserError, train_segmenter
from n2seg_utils.cli import main
from n2seg_utils.data import drive, positions
from n2seg_utils.data.files import stem
from n2seg_utils.data.images import open_images
from n2seg_utils.data.labels import bring_masks, open_masks
from n2seg_utils.data.split import split_by_group, split_within
from n2seg_utils.data.tables import read_table
from n2seg_utils.learning.networks import Architecture, unet
from n2seg_utils.models.distillation import StudentWork
from n2seg_utils.models.segment_report import judge_segmenter, judged_on, write_segment_report
from n2seg_utils.models.segmenter import Segmenter
from n2seg_utils.models.student_report import regions_of
from n2seg_utils.settings.student import STUDENTS, with_student

from .conftest import SMALL


def wanted(sample, run, **more):
    """Settings of a student that learns in some seconds."""
    folders = {"images": str(sample / "images"), "masks": str(sample / "masks"), "run": str(run), "labels": "teacher"}
    return SegmentSettings(**(folders | SMALL | more))


@pytest.fixture(scope="module")
def correct(sample, tmp_path_factory):
    """What a person drew on the first of the images: its objects, a little smaller than the teacher has them."""
    from skimage.morphology import erosion

    folder = tmp_path_factory.mktemp("correct")
    file = sorted((sample / "masks").iterdir())[0]
    tifffile.imwrite(folder / file.name, erosion(tifffile.imread(file), np.ones((3, 3))))
    return folder


@pytest.fixture(scope="module")
def student(sample, correct, tmp_path_factory):
    """A student of the sample's masks, and its scores."""
    run = tmp_path_factory.mktemp("runs") / "student"
    model = train_segmenter(wanted(sample, run, clean_masks=str(correct)))
    return model, judge_segmenter(model)


@pytest.fixture
def staged(sample, tmp_path):
    """The sample as the images of four positions, as a microscope with a moving stage writes them."""
    for number, file in enumerate(sorted((sample / "images").iterdir())):
        for kind, name in (("images", "img_000.tif"), ("masks", "MASK_img_000.tif")):
            folder = tmp_path / {"images": "REF_raw_data", "masks": "REF_masks"}[kind] / f"Pos{101 + number}"
            folder.mkdir(parents=True)
            shutil.copyfile(sample / kind / file.name, folder / name)
    return tmp_path


def dice(one, other):
    return 2 * np.sum((one > 0) & (other > 0)) / (np.sum(one > 0) + np.sum(other > 0))


@pytest.mark.parametrize(("batch_norm", "weights"), [(True, 4_418_449), (False, 4_414_033)])
def test_the_original_student_has_the_weights_that_its_authors_give(batch_norm, weights):
    depth, width = STUDENTS["original"]
    network = unet(Architecture(outputs=1, depth=depth, width=width, batch_norm=batch_norm, even=True, bilinear=True))
    assert sum(np.prod(weight.shape) for weight in network.trainable_weights) == weights


def test_smaller_students_have_fewer_weights_and_a_width_of_ones_own_is_taken():
    settings = SegmentSettings(labels="teacher")
    assert with_student(settings, gpu=True).network_width == 24
    assert with_student(settings, gpu=True).network_depth == 4
    assert with_student(settings, gpu=False).student == "small"
    assert with_student(settings.replace(network_width=40), gpu=True).network_width == 40
    assert with_student(settings.replace(network_depth=2), gpu=True).student == "own"
    once = with_student(settings, gpu=True).check()
    assert with_student(once, gpu=False) == once, "settings of a run give the same network anywhere"


def test_the_student_is_built_as_the_first_u_net_and_loaded_again(student):
    model, _ = student
    assert model.architecture.even
    assert model.architecture.bilinear
    again = Segmenter.load(model.run.path)
    image = np.random.default_rng(0).random((70, 90, 1), "float32")
    np.testing.assert_allclose(again.predict_probabilities(image), model.predict_probabilities(image), atol=1e-5)


def test_tiles_of_a_bilinear_network_cannot_be_seen(student):
    model, _ = student
    image = np.random.default_rng(0).random((200, 180, 1), "float32")
    whole, tiled = (model.predict_probabilities(image, tile=tile) for tile in (512, 64))
    np.testing.assert_allclose(tiled, whole, atol=1e-4)


def test_few_images_each_have_a_strip_kept_out(student):
    model, _ = student
    rows = read_table(model.run / "split.csv")
    assert len(rows) == 8
    for name in {row["image"] for row in rows}:
        seen = np.zeros(tifffile.imread(Path(model.settings.images) / name).shape, int)
        for row in rows:
            if row["image"] == name:
                y, x, height, width = (int(word[1:]) for word in row["region"].split())
                seen[y : y + height, x : x + width] += 1
        assert (seen == 1).all()
    assert "a strip of each image that was not trained on" in judged_on(model)


def test_scores_are_of_what_was_kept_out_and_nothing_else(student):
    model, scores = student
    regions, own = regions_of(model), []
    for row in scores["per_image"]:
        y, x, height, width = regions[stem(row["image"])]
        where = slice(y, y + height), slice(x, x + width)
        found = tifffile.imread(model.run / "quality" / "labels" / row["image"])[where]
        own.append(dice(tifffile.imread(Path(model.settings.masks) / row["image"])[where], found))
        assert row["dice"] == pytest.approx(own[-1])
    assert len(own) == 4
    assert scores["dice"] == pytest.approx(np.mean(own))
    assert scores["dice"] > 0.7, "it learns from its teacher"


def test_correct_masks_judge_student_and_teacher_and_change_nothing_else(student, sample, correct):
    model, _ = student
    [file] = correct.iterdir()
    y, x, height, width = regions_of(model)[stem(file)]
    where = slice(y, y + height), slice(x, x + width)
    truth = tifffile.imread(file)[where]
    facts = model.run.facts()["by_correct_masks"]
    assert facts["images"] == 1
    assert facts["teacher"]["dice"] == pytest.approx(dice(truth, tifffile.imread(sample / "masks" / file.name)[where]))
    found = tifffile.imread(model.run / "quality" / "labels" / file.name)[where]
    assert facts["student"]["dice"] == pytest.approx(dice(truth, found))
    assert facts["teacher"]["dice"] < 1
    assert "clean" not in {row["use"] for row in read_table(model.run / "split.csv")}
    assert not np.isclose(model.run.facts()["metrics"]["dice"], facts["student"]["dice"])


def test_size_and_speed_are_measured_and_told_in_the_report(student):
    model, scores = student
    facts = json.loads((model.run / "run.json").read_text())["student"]
    assert facts["weights"] == sum(np.prod(weight.shape) for weight in model.network.trainable_weights)
    assert facts["megapixels_per_second"] > 0
    report = write_segment_report(model, scores).read_text(encoding="utf-8")
    assert f"{facts['weights']:,} weights" in report
    assert "megapixels a second" in report
    assert "Loss and Dice while training" in report
    assert "the teacher&#x27;s Dice" in report or "the teacher's Dice" in report
    assert "those of another program" in report
    assert judge_segmenter(model)["dice"] == scores["dice"], "judging again changes nothing"


@pytest.mark.parametrize(
    "given", [("REF_raw_data", "REF_masks"), (".", ".")], ids=["folders of positions", "the folder of both"]
)
def test_folders_of_positions_are_read_as_they_are(staged, given):
    images, masks = (staged / folder for folder in given)
    opened = open_images(drive.bring(images))
    assert [positions.parted(stem(image.path))[0].removeprefix("REF_") for image in opened] == [
        "Pos101", "Pos102", "Pos103", "Pos104",
    ]  # fmt: skip
    found, alone = open_masks(bring_masks(masks), opened)
    assert not alone
    for number, (image, mask) in enumerate(zip(opened, found)):
        place = f"Pos{101 + number}"
        np.testing.assert_array_equal(
            image.plane(0)[..., 0], tifffile.imread(staged / "REF_raw_data" / place / "img_000.tif")
        )
        np.testing.assert_array_equal(mask.plane(0), tifffile.imread(staged / "REF_masks" / place / "MASK_img_000.tif"))


def test_what_is_gathered_follows_its_folder(staged):
    folder = staged / "REF_raw_data"
    before = drive.bring(folder)
    shutil.rmtree(folder / "Pos101")
    tifffile.imwrite(folder / "Pos102" / "img_000.tif", np.zeros((32, 32), "uint8"))
    deeper = folder / "Pos102" / "aphase"
    deeper.mkdir()
    assert drive.bring(folder) == before
    assert sorted(file.name for file in before.iterdir()) == [f"Pos{n}_img_000.tif" for n in (102, 103, 104)]
    assert tifffile.imread(before / "Pos102_img_000.tif").shape == (32, 32)
    (folder / "Pos102" / "img_000.tif").rename(deeper / "img_000.tif")
    assert tifffile.imread(drive.bring(folder) / "Pos102_img_000.tif").shape == (32, 32)


def test_other_folders_stay_as_they_are(sample):
    assert drive.bring(sample / "images") == sample / "images"
    assert bring_masks(str(sample / "masks")) == sample / "masks"
    assert positions.images_of(sample) == sample


def test_whole_positions_are_kept_out_those_with_correct_masks_first(staged, tmp_path, sample):
    folders = {"images": str(staged / "REF_raw_data"), "masks": str(staged / "REF_masks")}
    work = StudentWork(wanted(sample, tmp_path / "run", **folders))
    assert sorted(part.use for part in work.parts) == ["train"] * 3 + ["validate"]
    assert all(part.region is None for part in work.parts)
    (staged / "drawn" / "Pos103").mkdir(parents=True)
    shutil.copy(staged / "REF_masks" / "Pos103" / "MASK_img_000.tif", staged / "drawn" / "Pos103")
    work = StudentWork(wanted(sample, tmp_path / "run", clean_masks=str(staged / "drawn"), **folders))
    assert [work.images[part.image].path.name for part in work.parts if part.use == "validate"] == [
        "Pos103_img_000.tif"
    ]
    with pytest.raises(UserError, match=r"No positions can be told apart.*Use split auto"):
        StudentWork(wanted(sample, tmp_path / "run", split="position"))


def test_positions_never_serve_both_and_strips_never_overlap():
    groups = [f"Pos{number % 7}" for number in range(70)]
    parts = split_by_group(groups, 0.3, seed=3)
    use = {name: {part.use for part in parts if groups[part.image] == name} for name in groups}
    assert all(len(uses) == 1 for uses in use.values())
    assert sum(uses == {"validate"} for uses in use.values()) == 2
    assert split_by_group(groups, 0.3, seed=3) == parts
    assert split_by_group(["a", "b"], 0.01, seed=1, first={"b"})[1].use == "validate"


def test_strips_of_real_images_are_as_wide_as_a_patch(real_images):
    images = open_images(real_images / "omnipose_phase" / "images")
    parts = split_within(images, 0.15, 128)
    assert [part.use for part in parts] == ["train", "validate"] * 7
    for part in parts:
        assert min(part.region[2:]) >= 128
    for train, validate in zip(parts[::2], parts[1::2]):
        height, width, _ = images[train.image].plane_shape
        assert sum(np.prod(part.region[2:]) for part in (train, validate)) == height * width
    assert split_within(images, 0.15, 1024) == []


def test_the_command_trains_and_predicts_from_positions_and_the_run_gives_the_same_again(staged, tmp_path, capsys):
    chosen = [f"{name}={value}" for name, value in (SMALL | {"epochs": 2, "steps_per_epoch": 12}).items()]
    pairs = [word for pair in ["labels=teacher", *chosen] for word in ("--set", pair)]
    run, folder = tmp_path / "run", staged / "REF_raw_data"
    assert main(["train", "segment", "--images", str(folder), "--masks", str(staged / "REF_masks"), "--run", str(run),
                 *pairs]) == 0  # fmt: skip
    assert "dice" in capsys.readouterr().out
    settings = SegmentSettings.load(run / "settings.yaml")
    assert (settings.student, settings.images) == ("own", str(folder))
    assert main(["predict", "--run", str(run), "--images", str(folder), "--out", str(tmp_path / "out")]) == 0
    assert {file.name for file in (tmp_path / "out").glob("*.tif")} == {f"Pos{n}_img_000.tif" for n in range(101, 105)}
    assert main(["check", "--images", str(folder), "--masks", str(staged / "REF_masks")]) == 0


@pytest.mark.parametrize(
    "called",
    ["{}_cp_masks.tif", "{}_cp_masks.png", "{}_masks.tif", "{}_labels.tif", "{}.labels.tif", "{}_stardist.tif",
     "{}_omnipose_masks.tif", "{}_cellpose.tif", "MASK_{}.tif"],
)  # fmt: skip
def test_masks_that_programs_name_belong_to_their_images(sample, tmp_path, called):
    from PIL import Image

    for file in (sample / "masks").iterdir():
        target = tmp_path / called.format(stem(file))
        if target.suffix == ".png":
            Image.fromarray(tifffile.imread(file).astype("uint16")).save(target)
        else:
            shutil.copyfile(file, target)
    found, alone = open_masks(tmp_path, open_images(sample / "images"))
    assert not alone
    assert all(found)
    assert found[1].plane(0).max() == tifffile.imread(sorted((sample / "masks").iterdir())[1]).max()


class _Bomb:
    def __reduce__(self):
        return Path.touch, (Path("bomb"),)


def test_what_cellpose_keeps_for_itself_is_never_opened(sample, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "cell_seg.npy").write_bytes(pickle.dumps(_Bomb()))
    with pytest.raises(UserError, match=r"cell_seg.npy.*may run code.*Save masks as PNG/tif"):
        open_masks(tmp_path / "masks", open_images(sample / "images"))
    for file in (sample / "masks").iterdir():
        shutil.copyfile(file, tmp_path / "masks" / f"{stem(file)}_cp_masks.tif")
    assert all(open_masks(tmp_path / "masks", open_images(sample / "images"))[0])
    assert not (tmp_path / "bomb").exists()


@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        ({"student": "original", "network_width": 8}, "network_width is 8, but the student 'original' has 24: use "),
        ({"student": "tiny", "network_depth": 5}, "network_depth is 5, but the student 'tiny' has 3: use student own"),
        ({"student": "huge"}, "student is 'huge'; it must be one of auto, original"),
        ({"split": "plane"}, "split is 'plane'; it must be one of auto, position"),
        (
            {"labels": "good", "clean_masks": "some"},
            "clean_masks is 'some', which is for labels noisy, teacher or none",
        ),
    ],
)
def test_settings_that_do_not_go_together_are_refused(chosen, says):
    with pytest.raises(UserError, match=says):
        SegmentSettings(**({"labels": "teacher"} | chosen)).check()


def test_the_notebook_asks_what_kind_of_labels_and_goes_from_a_teachers_to_labels_of_all_positions(
    staged, tmp_path, monkeypatch, capsys
):
    from n2seg_utils.ui import forms
    from n2seg_utils.ui.segmenting import Segmenting

    monkeypatch.setattr(forms, "_forms", {})
    monkeypatch.chdir(tmp_path)
    work = Segmenting()
    work.ask_data()
    for name, value in {"images": staged / "REF_raw_data", "masks": staged / "REF_masks", "labels": "teacher"}.items():
        work.form.fields[name].enter(value if name == "labels" else str(value))
    work.check_data()
    work.ask_settings()
    for name, value in (SMALL | {"run": tmp_path / "run", "epochs": 2, "steps_per_epoch": 12}).items():
        work.form.fields[name].enter(value)
    work.train()
    work.judge()
    [row] = work.scores["per_image"]
    assert row["image"].startswith("Pos10")
    assert "megapixels a second" in capsys.readouterr().out
    work.ask_result()
    work.predict()
    names = {file.name for file in (work.model.run / "labels").glob("*.tif")}
    assert names == {f"Pos{number}_img_000.tif" for number in range(101, 105)}
