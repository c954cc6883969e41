"""Joint training: what it is taught by, in which proportion, and that noise and masks each teach their own thing."""

import re

import numpy as np
import pytest
import tifffile
from keras import ops

from n2seg_utils import UserError
from n2seg_utils.data.samples import make_image
from n2seg_utils.learning.annotations import UNKNOWN, border_classes_of
from n2seg_utils.learning.joint import weight_at
from n2seg_utils.learning.networks import unet
from n2seg_utils.learning.plan import Plan
from n2seg_utils.learning.segmentation import SegmentationLoss
from n2seg_utils.learning.training import Watcher, train
from n2seg_utils.models.joint import JointModel
from n2seg_utils.models.joint_training import JointWork, train_joint
from n2seg_utils.settings import JointSettings

from .conftest import TINY

BRIEF = TINY | {"steps_per_epoch": 2, "batch_size": 4, "network_width": 4}
PLAIN = {
    "normalisation": "dataset",
    "warp": 0,
    "recolour": 0,
    "schedule": "constant",
}  # patches show the grey values of the images
_APART = 10_000  # from the grey values of one image of marked() to those of the next


def settings(folder, run, **more):
    return JointSettings(images=str(folder / "images"), masks=str(folder / "masks"), run=str(run), **(BRIEF | more))


def written(folder, images, masks, **options):
    """Write images, 0.tif, 1.tif ..., and masks for some of them: number -> array."""
    for kind, arrays in (("images", dict(enumerate(images))), ("masks", masks)):
        (folder / kind).mkdir(parents=True)
        for number, array in arrays.items():
            tifffile.imwrite(folder / kind / f"{number}.tif", array, **options)
    return folder


def marked(count, shape=(64, 96)):
    """Images each of whose pixels says by its grey value which image it is of, and where in it it lies."""
    places = np.arange(np.prod(shape)).reshape(shape)
    return [(_APART * number + places).astype("float32") for number in range(count)]


def chequered(shape=(64, 96), side=8):
    """A mask with an object on every other square."""
    squares = np.indices(shape) // side
    return np.where(squares.sum(axis=0) % 2, 1 + squares[-2] * 50 + squares[-1], 0).astype("uint16")


def nuclei(count, shape=(96, 96), name="nuclei"):
    """Images, and masks of all of them: number -> array."""
    made = [make_image(name, number, shape=shape) for number in range(count)]
    return [image for image, _, _ in made], {number: labels for number, (_, _, labels) in enumerate(made)}


def of_kind(folder, name, shape, classes=0):
    """Two images of the samples of a name, and chequered masks: objects, or so many classes."""
    axes = {"nuclei": "YX", "two_channels": "CYX", "nuclei3d": "ZYX"}[name]
    masks = [chequered(shape)] * 2 if not classes else [chequered(shape) % classes] * 2
    images = [make_image(name, number, shape=shape)[0] for number in range(2)]
    for kind, arrays, letters in (("images", images, axes), ("masks", masks, axes.replace("C", ""))):
        (folder / kind).mkdir(parents=True)
        for number, array in enumerate(arrays):
            tifffile.imwrite(folder / kind / f"{number}.tif", array, imagej=True, metadata={"axes": letters})
    return folder


class Seen:
    """In place of a network: keeps what it is shown, and answers nothing."""

    def __init__(self, outputs):
        self.outputs, self.batches = outputs, []

    def __call__(self, batch, training=False):
        self.batches.append(ops.convert_to_numpy(batch))
        return ops.zeros((*batch.shape[:-1], self.outputs))


def watched(folder, tmp_path, **more):
    """A training on a folder with nothing to train: the work, and a function that takes a step of it."""
    idle = JointSettings.OURS if more.get("recipe") == "published" else ()
    plain = {name: value for name, value in PLAIN.items() if name not in idle}
    work = JointWork(settings(folder, tmp_path / "run", **(plain | more)))
    seen = Seen(work.model.architecture.outputs)
    training = work.training(seen, work.model.settings)

    def step(number, training_too=True):
        """What the network is shown; the target and what is hidden of it; what is known of the annotated ones."""
        before = len(seen.batches)
        _, target, hidden, _, known, share, *_ = training(np.array([number], "int32"), training=training_too)
        return seen.batches[before], *map(ops.convert_to_numpy, (target, hidden, known)), float(share)

    return work, step


def grey(work, pixels):
    """Whole grey values of scaled pixels."""
    return np.rint(work.model.normalisation.undo(pixels[..., 0])).astype(int)


def numbers(work, patches):
    """The image of marked() that each patch is of."""
    values = grey(work, patches).reshape(len(patches), -1) // _APART
    assert (values == values[:, :1]).all(), "a patch is of one image"
    return values[:, 0]


# The loss


@pytest.mark.parametrize("distance", [False, True])
@pytest.mark.parametrize("kind", ["both", "cross_entropy", "dice", "published"])
def test_segmentation_counts_the_same_however_many_patches_are_not_annotated(kind, distance):
    rng = np.random.default_rng(0)
    loss = SegmentationLoss([0.5, 1, 2], objects=True, distance=distance and kind != "published", kind=kind)
    known = np.stack([chequered((16, 16), 5), rng.random((16, 16))], axis=-1).astype("float32")[None]
    answer = rng.normal(0, 2, (1, 16, 16, 4)).astype("float32")
    alone = float(loss(known, answer))
    for more in (1, 7):
        nothing = np.full((more, 16, 16, 2), UNKNOWN, "float32")
        wild = rng.normal(0, 50, (more, 16, 16, 4)).astype("float32")
        together = float(loss(np.concatenate([known, nothing]), np.concatenate([answer, wild])))
        assert together == pytest.approx(alone / (1 + more) if kind == "published" else alone, rel=1e-5)
    assert float(loss(nothing, wild)) == 0


@pytest.mark.parametrize("kind", ["both", "cross_entropy", "dice", "published"])
def test_segmentation_counts_the_same_however_many_pixels_are_not_annotated(kind):
    rng = np.random.default_rng(1)
    loss = SegmentationLoss([0.5, 1, 2], objects=False, kind=kind)
    known = rng.integers(0, 3, (2, 16, 16, 1)).astype("float32")
    answer = rng.normal(0, 2, (2, 16, 16, 3)).astype("float32")
    half = known.copy()
    half[:, 8:] = UNKNOWN
    one, other = float(loss(half, answer)), float(loss(known[:, :8], answer[:, :8]))
    assert one == pytest.approx(other / 2 if kind == "published" else other, rel=1e-5)


def test_the_weight_of_denoising_is_that_of_the_documentation():
    shares = np.array([0, 0.25, 0.5, 0.75, 1], "float32")
    for schedule, expected in {
        "constant": [0.4] * 5, "denoise_first": [1, 0.7, 0.4, 0.4, 0.4], "ramp": [0, 0.2, 0.4, 0.4, 0.4],
    }.items():  # fmt: skip
        np.testing.assert_allclose(shares * 0 + weight_at(shares, 0.4, schedule), expected, atol=1e-6)


TEACHES = {
    "denoising only": (1.0, {"schedule": "constant"}, True, False),
    "segmentation only": (0.0, {"schedule": "constant"}, False, True),
    "both": (0.5, {"schedule": "constant"}, True, True),
    "distances too": (0.0, {"method": "distance", "schedule": "constant"}, False, True),
    "denoising first": (0.5, {"schedule": "denoise_first"}, True, False),
    "denoising later": (0.5, {"schedule": "ramp"}, False, True),
    "published, denoising only": (1.0, {"recipe": "published"}, True, False),
    "published, segmentation only": (0.0, {"recipe": "published"}, False, True),
}


@pytest.mark.parametrize("what", TEACHES)
def test_noise_teaches_the_denoised_channels_and_masks_teach_the_classes(tmp_path, what):
    weight, more, denoises, segments = TEACHES[what]
    folder = of_kind(tmp_path / "in", "two_channels", (96, 96))
    work = JointWork(settings(folder, tmp_path / "run", target="instances", **more))
    network = unet(work.model.architecture)
    before = network.get_layer("output").get_weights()
    training = work.training(network, work.model.settings)
    training.weight = weight
    train(training, Plan(1, 1, 0.01))
    for old, new in zip(before, network.get_layer("output").get_weights()):
        moved = (old != new).reshape(-1, old.shape[-1]).any(axis=0)
        assert moved.tolist() == [denoises] * 2 + [segments] * (len(moved) - 2)


# What is drawn


@pytest.mark.parametrize(
    ("batch", "share", "annotated"),
    [(8, 0.5, 4), (8, 0.25, 2), (10, 0.3, 3), (4, 0.9, 3), (2, 0.5, 1), (2, 0.1, 1), (2, 0.9, 1)],
)
def test_every_batch_holds_annotated_and_noisy_patches_as_asked_for(tmp_path, batch, share, annotated):
    """Even if one of many images is annotated."""
    folder = written(tmp_path / "in", marked(6), {2: chequered()})
    work, step = watched(folder, tmp_path, batch_size=batch, annotated_share=share)
    noisy = []
    for number in range(12):
        shown, target, hidden, known, _ = step(number)
        assert (len(shown), len(known), len(target), len(hidden)) == (batch, annotated, *[batch - annotated] * 2)
        assert (known >= 0).all(), "an annotated patch"
        noisy.extend(numbers(work, target))
    training = {part.image for part in work.parts if part.use == "train"}
    assert len(training) == 5
    assert set(noisy) == training if len(noisy) > 40 else set(noisy) <= training


def test_annotations_lie_on_the_patches_that_they_belong_to_and_images_without_a_mask_teach_no_classes(tmp_path):
    """Masks of the second and the last of five images, so that pairs by position would be wrong."""
    masks = {1: chequered(side=8), 4: chequered(side=12)}
    folder = written(tmp_path / "in", marked(5), masks)
    work, _ = watched(folder, tmp_path)
    seen = []
    for use in ("train", "validate"):
        for image, _, classes in work.pools[use]:
            [number] = set(numbers(work, image[None]).tolist())
            seen.append(number)
            np.testing.assert_array_equal(classes, border_classes_of(masks[number]))
    assert sorted(seen) == [1, 4]
    noisy = {
        use: [numbers(work, image[None])[0] for image in work.pools[use, "noisy"]] for use in ("train", "validate")
    }
    assert sorted(noisy["train"] + noisy["validate"]) == [0, 1, 2, 3, 4], "all teach to denoise, or validate it"


@pytest.mark.parametrize("recipe", ["ours", "published"])
def test_an_empty_mask_says_background_and_no_mask_says_nothing(tmp_path, recipe):
    """Also of background between objects, patches of which are known."""
    mask = np.zeros((64, 96), "uint16")
    mask[20:30, 60:70] = 1
    folder = written(tmp_path / "in", marked(5), {0: mask, 1: mask, 2: mask * 0})
    work, step = watched(folder, tmp_path, recipe=recipe, batch_size=16)
    assert 2 in [part.image for part in work.shown() if part.use == "train"]
    said = {number: set() for number in range(5)}
    for number in range(8):
        shown, _, _, known, _ = step(number)
        for image, labels in zip(shown, known):
            of = int(np.median(grey(work, image))) // _APART
            said[of] |= {"nothing" if (labels < 0).all() else "empty" if (labels == 0).all() else "drawn"}
            assert (labels < 0).all() or (labels >= 0).all()
    validating = {part.image for part in work.parts if part.use == "validate"}
    others = {"nothing"} if recipe == "published" else set()
    for number, words in said.items():
        expected = {0: {"empty", "drawn"}, 1: {"empty", "drawn"}, 2: {"empty"}}.get(number, others)
        assert words == (set() if number in validating else expected), number


def test_the_published_recipe_draws_from_all_images_alike_and_leaves_pixels_as_they_are(tmp_path):
    """As DenoiSeg does: neither objects nor annotated images are preferred, and nothing but flips and turns is done."""
    folder = written(tmp_path / "in", marked(12), {3: chequered(), 8: chequered()})
    work, step = watched(folder, tmp_path, recipe="published", batch_size=32)
    drawn = [step(number) for number in range(12)]
    annotated = np.concatenate([(known >= 0).all(axis=(1, 2, 3)) for _, _, _, known, _ in drawn])
    training = [part.image for part in work.parts if part.use == "train"]
    assert annotated.mean() == pytest.approx(1 / len(training), abs=0.06)
    for _, target, hidden, _, _ in drawn:
        np.testing.assert_allclose(np.rint(grey(work, target)), work.model.normalisation.undo(target)[..., 0], atol=0.1)
        assert set(numbers(work, target)) <= set(training)
        assert (hidden.sum(axis=(1, 2, 3)) > 0).all(), "each patch teaches to denoise"


@pytest.mark.parametrize("recipe", ["ours", "published"])
@pytest.mark.parametrize(("annotated", "others"), [(1, 0), (1, 1), (1, 5), (2, 0), (2, 1), (4, 4), (3, 12)])
def test_no_pixel_that_validates_ever_trains(tmp_path, annotated, others, recipe):
    count = annotated + others
    masks = dict.fromkeys(range(0, 2 * annotated, 2) if others >= annotated else range(annotated), chequered())
    for seed in (1, 2, 3):
        folder = written(tmp_path / str(seed), marked(count), masks)
        work, _ = watched(folder, tmp_path, recipe=recipe, seed=seed)
        pixels = {"train": set(), "validate": set()}
        for key, frames in work.pools.items():
            for frame in frames:
                image = frame[0] if isinstance(frame, tuple) else frame
                pixels[key if isinstance(key, str) else key[0]] |= set(grey(work, image).ravel().tolist())
        assert not pixels["train"] & pixels["validate"]
        assert len(pixels["train"]) + len(pixels["validate"]) == count * 64 * 96, "and none is left out"
        use = {name: {part.image for part in work.parts if part.use == name} for name in pixels}
        assert use["train"] & set(masks)
        assert use["validate"] & set(masks)
        without = set(range(count)) - set(masks)
        if others:
            assert use["train"] & without
        assert bool(use["validate"] & without) == (others > 1 and recipe == "ours")
        assert {part.image for part in work.shown()} == set(masks)


def test_the_published_recipe_validates_on_annotated_patches_however_few_there_are(tmp_path):
    folder = written(tmp_path / "in", marked(40), {7: chequered(), 31: chequered()})
    work, step = watched(folder, tmp_path, recipe="published", batch_size=8)
    assert {part.use for part in work.shown()} == {"train", "validate"}
    for number in range(3):
        known = step(number, training_too=False)[3]
        assert (known >= 0).all()


@pytest.mark.parametrize("recipe", ["ours", "published"])
def test_shared_noise_is_never_turned_out_of_the_struct_mask(tmp_path, recipe):
    """Grey values rise by one from column to column, and by the width of the image from row to row."""
    folder = written(tmp_path / "in", marked(4), {0: chequered(), 2: chequered()})
    struct = {"algorithm": "structn2v", "struct_axis": "horizontal", "struct_length": 5}
    for more, ways in (({}, {1, 96}), (struct, {1})):
        work, step = watched(folder, tmp_path / more.get("algorithm", "n2v"), recipe=recipe, batch_size=16, **more)
        targets = [grey(work, step(number)[1]) for number in range(4)]
        steps = {int(abs(patch[0, 1] - patch[0, 0])) for target in targets for patch in target}
        assert steps == ways


@pytest.mark.parametrize("recipe", ["ours", "published"])
@pytest.mark.parametrize(("shape", "percent"), [((64, 96), 2.0), ((64, 96), 10.0), ((16, 48, 64), 1.5)])
def test_pixels_are_hidden_once_anew_in_each_step_and_as_many_as_asked_for(tmp_path, shape, percent, recipe):
    axes = "ZYX"[-len(shape) :]
    masks = {number: chequered(shape) for number in range(2)}
    folder = written(tmp_path / "in", marked(2, shape), masks, imagej=True, metadata={"axes": axes})
    more = {"masked_percent": percent, "patch_depth": 8, "batch_size": 16, "recipe": recipe}
    work, step = watched(folder, tmp_path, **more)
    assert work.model.architecture.dims == len(shape)
    shares, places = [], []
    for number in range(5):
        shown, target, hidden, _, _ = step(number)
        changed = shown[len(shown) - len(target) :] != target
        np.testing.assert_array_equal(changed, hidden > 0, "what counts is what was hidden in this very step")
        shares.append(100 * hidden.mean())
        places.append(hidden)
        np.testing.assert_array_equal(step(number)[2], hidden, "a step is always the same")
    for share in shares:
        assert share == pytest.approx(percent, rel=0.15), "from the first batch on"
    assert not any(np.array_equal(a, b) for n, a in enumerate(places) for b in places[:n])


def test_validation_judges_segmentation_on_images_as_they_are_and_the_whole_of_its_weight(tmp_path):
    folder = written(tmp_path / "in", marked(3), {0: chequered(), 2: chequered()})
    _, step = watched(folder, tmp_path, batch_size=8)
    shown, target, hidden, known, share = step(0, False)
    annotated = shown[: len(known), ..., 0]
    steps = np.diff(annotated, axis=2)
    np.testing.assert_allclose(steps, np.median(steps), rtol=0.1, err_msg="a ramp without holes")
    assert hidden.sum() > 0
    assert share == 1
    np.testing.assert_array_equal(step(0, False)[1], target, "always on the same patches")


# Whole trainings


class Counted(Watcher):
    def __init__(self):
        self.steps = 0

    def step(self, step, plan, seconds):
        self.steps = step


@pytest.mark.parametrize("recipe", ["ours", "published"])
def test_two_tiny_images_are_trained_on_for_all_the_steps_that_were_planned(tmp_path, recipe):
    images, masks = nuclei(2, (48, 48))
    watcher = Counted()
    more = {"epochs": 6, "steps_per_epoch": 3, "batch_size": 16, "recipe": recipe}
    model = train_joint(settings(written(tmp_path / "in", images, masks), tmp_path / "run", **more), watcher)
    assert [row["epoch"] for row in model.run.history()] == [1, 2, 3, 4, 5, 6]
    assert watcher.steps == 18
    facts = model.run.facts()
    assert (facts["status"], facts["workflow"], facts["epochs_done"], facts["steps"]) == ("finished", "joint", 6, 18)
    [result] = model.predict_folder(tmp_path / "in" / "images" / "1.tif", tmp_path / "out")
    assert tifffile.imread(result).shape == (48, 48)


def test_the_same_seed_and_steps_give_the_same_weights_and_another_seed_others(tmp_path):
    images, masks = nuclei(3)
    folder = written(tmp_path / "in", images, {0: masks[0], 1: masks[1]})

    def weights(name, seed):
        return train_joint(settings(folder, tmp_path / name, seed=seed)).network.get_weights()

    one, two, other = weights("one", 1), weights("two", 1), weights("other", 2)
    for a, b in zip(one, two):
        np.testing.assert_array_equal(a, b)
    assert not any(np.array_equal(a, b) for a, b in zip(one, other) if a.ndim > 1)


# What is wrong is said in one sentence, and nothing is left behind


def emptied(folder, kind):
    for path in (folder / kind).iterdir():
        path.unlink()


BAD = {
    "no masks named": ({"masks": ""}, None, r"but no masks\. Name both folders"),
    "no images named": ({"images": ""}, None, r"but no images\. Name both folders"),
    "masks that are not there": ({"masks": "nowhere/masks"}, None, r"There is no folder or file nowhere.masks"),
    "masks of other images": (
        {}, lambda f: [p.rename(p.with_name(f"other{p.name}")) for p in (f / "masks").iterdir()],
        r"No mask in .*masks has the name of an image, for example 0\.tif.*Give masks the names of their images",
    ),
    "no image": ({}, lambda f: emptied(f, "images"), r"images.*(no|empty)"),
    "no mask": ({}, lambda f: emptied(f, "masks"), r"masks.*(no|empty)"),
    "empty masks": ({}, lambda f: [tifffile.imwrite(p, np.zeros((64, 64), "u1")) for p in (f / "masks").iterdir()],
                    r"All masks are empty.*Annotate"),
    "no room for two kinds": ({"batch_size": 1}, None, r"batch_size is 1; it must be between 2 and 1024: use 2"),
    "no annotated patch": ({"annotated_share": 0.05}, None, r"annotated_share is 0\.05; .*between 0\.1 and 0\.9: use"),
    "no noisy patch": ({"annotated_share": 1.0}, None, r"annotated_share is 1.*between 0\.1 and 0\.9: use"),
    "too much weight": ({"denoise_weight": 1}, None, r"denoise_weight is 1.*between 0\.01 and 0\.99: use"),
    "no weight": ({"denoise_weight": 0}, None, r"denoise_weight is 0.*between 0\.01 and 0\.99: use"),
    "distances by the paper's recipe": ({"recipe": "published", "method": "distance"}, None,
                                        r"method has no effect with recipe published: use border, or recipe ours"),
    "a share by the paper's recipe": ({"recipe": "published", "annotated_share": 0.3}, None,
                                      r"annotated_share has no effect with recipe published: use 0\.5, or recipe ours"),
    "an unknown schedule": ({"schedule": "never"}, None, r"schedule is 'never'.*constant.*ramp"),
    "an unknown recipe": ({"recipe": "theirs"}, None, r"recipe is 'theirs'.*published"),
    "an even length": ({"struct_length": 4}, None, r"struct_length is 4; it must be odd: use 5"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_refused_before_anything_is_trained(tmp_path, what):
    more, spoil, words = BAD[what]
    folder = written(tmp_path / "in", *nuclei(2, (64, 64)))
    if spoil:
        spoil(folder)
    with pytest.raises(UserError) as caught:
        train_joint(settings(folder, tmp_path / "run").replace(**more))
    assert re.search(words, str(caught.value)), str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_folder_that_holds_something_is_not_trained_into(tmp_path):
    folder = written(tmp_path / "in", *nuclei(2, (64, 64)))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match=r"is not empty.*run_2"):
        train_joint(settings(folder, tmp_path / "run"))
    assert [p.name for p in (tmp_path / "run").iterdir()] == ["mine.txt"]
    with pytest.raises(UserError):
        JointModel.load(tmp_path / "run")
