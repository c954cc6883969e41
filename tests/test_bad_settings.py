"""Whatever is wrong with settings and settings files: named, with a value that works, before anything is written."""

import pytest

from .conftest import TINY
from .refusals import noise, write

QUICK = [f"--set={name}={value}" for name, value in (TINY | {"epochs": 1}).items()]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in (1, 2):
        write(tmp_path / "images" / f"cell_{number}.tif", noise(64, 64, seed=number))
        write(tmp_path / "masks" / f"cell_{number}.tif", (noise(64, 64, seed=number) > 250).astype("uint8"))


# What is wrong -> the workflow, what is set, and what the message says.
SETTINGS = {
    "an unknown name, with the nearest one": ("denoise", ["learning_rat=0.1"], "did you mean 'learning_rate'"),
    "a name in capitals": ("denoise", ["EPOCHS=3"], "There is no setting 'EPOCHS'", "did you mean 'epochs'"),
    "a name of another workflow": ("denoise", ["masks=masks"], "There is no setting 'masks'"),
    "text for a number": ("denoise", ["learning_rate=fast"], "learning_rate is 'fast'", "a number", "use 0.001"),
    "half a step": ("denoise", ["steps_per_epoch=2.5"], "steps_per_epoch is '2.5'", "a whole number"),
    "a decimal comma": ("denoise", ["learning_rate=0,001"], "learning_rate is '0,001'", "use 0.001"),
    "neither yes nor no": ("denoise", ["augment=maybe"], "augment is 'maybe'", "true or false"),
    "a number that is none": ("denoise", ["minutes=nan"], "minutes is nan", "use 0"),
    "endless time": ("denoise", ["minutes=inf"], "minutes is inf"),
    "a number too large to be one": ("denoise", ["epochs=1e999"], "epochs is '1e999'", "a whole number"),
    "less than nothing": ("denoise", ["minutes=-1"], "minutes is -1", "use 0"),
    "no learning": ("denoise", ["learning_rate=0"], "learning_rate is 0", "use 1e-06"),
    "a word that is no choice": ("denoise", ["algorithm=n2v3"], "algorithm is 'n2v3'", "n2v, n2v2, structn2v"),
    "an even kernel": ("denoise", ["kernel_size=4"], "kernel_size is 4", "use 5"),
    "patches that cannot be halved as often": ("denoise", ["patch_size=36", "network_depth=3"], "patch_size", "use 32"),
    "an even length of shared noise": ("denoise", ["struct_length=4"], "struct_length is 4", "use 5"),
    "a ragged pattern of shared noise": ("denoise", ["struct_mask=010; 11"], "struct_mask", "use 010; 111; 010"),
    "volumes of single planes": ("denoise", ["dimensions=3d"], "cell_1.tif"),
    "an empty value for images": ("denoise", ["images="], "images"),
    "two at once, both named": ("denoise", ["epochs=0", "batch_size=0"], "epochs is 0", "batch_size is 0"),
    "clean images that are not there": ("denoise", ["truth=nowhere"], "nowhere"),
    "clean images of another size": ("denoise", ["truth=small"], "clean image cell_1.tif", "32 x 32"),
    "a model to start from that is not there": ("denoise", ["pretrained=nowhere"], "nowhere", "Check its path"),
    "images in place of a model to start from": ("segment", ["pretrained=images"], "images is not the folder"),
    "to keep what is not there": ("segment", ["freeze=encoder"], "freeze is 'encoder'", "use nothing"),
    "weights that are no numbers": ("segment", ["class_weights=heavy"], "class_weights is 'heavy'", "use auto"),
    "negative weights": ("segment", ["class_weights=1,-1"], "class_weights is '1,-1'", "use auto"),
    "more weights than classes": ("segment", ["class_weights=1,2,3"], "class_weights"),
    "more classes than there are": ("segment", ["target=classes", "classes=5"], "5"),
    "a threshold above one": ("segment", ["threshold=1.5"], "threshold is 1.5", "use 1"),
    "half a pixel": ("segment", ["min_size=0.5"], "min_size is '0.5'", "a whole number"),
    "more than everything annotated": ("joint", ["denoise_weight=2"], "denoise_weight is 2"),
    "no images in the published recipe": ("joint", ["recipe=theirs"], "recipe is 'theirs'"),
}


@pytest.mark.parametrize("what", SETTINGS)
def test_settings_that_cannot_be_used_are_named(what, refused, tmp_path):
    write(tmp_path / "small" / "cell_1.tif", noise(32, 32))
    workflow, pairs, *words = SETTINGS[what]
    masks = ["--masks", "masks"] if workflow != "denoise" else []
    sets = [f"--set={pair}" for pair in pairs]
    said = refused("train", workflow, "--images", "images", *masks, "--run", "run", *QUICK, *sets)
    assert all(word in said for word in words), said
    assert not (tmp_path / "run").exists()


FILES = {
    "that is not there": (None, "mine.yaml", "Check its path"),
    "of broken YAML": ("seed: 2\nepochs: [1\n", "mine.yaml is not a settings file (see line 3)"),
    "that is a list": ("- epochs\n- 3\n", "mine.yaml is not a settings file"),
    "that is a text": ("epochs\n", "mine.yaml is not a settings file"),
    "of tabs": ("epochs: 3\n\tseed: 2\n", "mine.yaml is not a settings file (see line 2)"),
    "of two documents": ("epochs: 1\n---\nepochs: 2\n", "mine.yaml is not a settings file"),
    "in another encoding": ("images: Zellkörper\n".encode("latin-1"), "mine.yaml is not a settings file"),
    "in UTF-16 without a mark": ("epochs: 3\n".encode("utf-16-le"), "mine.yaml is not a settings file"),
    "that is an image": (b"II*\0\x08\0\0\0\xff", "mine.yaml is not a settings file"),
    "with an unknown name": ("epoch: 3\n", "mine.yaml: There is no setting 'epoch'", "did you mean 'epochs'"),
    "with a name that is no text": ("[1, 2]: 3\n", "mine.yaml"),
    "with a list as value": ("epochs: [1, 2]\n", "mine.yaml: epochs is '['1', '2']'", "a whole number"),
    "with a list of folders": ("images: [a, b]\n", "mine.yaml: images is", "must be text"),
    "with a tag of another kind": ("seed: !!timestamp yes\n", "mine.yaml is not a settings file"),
    "with a tag that does not fit": ("augment: !!bool perhaps\n", "mine.yaml is not a settings file"),
    "with a name twice": ("epochs: 3\nepochs: 300\n", "mine.yaml", "epochs", "twice"),
    "nested without end": ("epochs: " + "[" * 400, "mine.yaml is not a settings file"),
    "that says nothing of images": ("epochs: 3\n", "--images"),
    "that is empty": ("", "--images"),
}


@pytest.mark.parametrize("what", FILES)
def test_a_settings_file(what, refused, tmp_path):
    content, *words = FILES[what]
    if content is not None:
        (tmp_path / "mine.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    said = refused("train", "denoise", "--run", "run", "--config", "mine.yaml")
    assert all(word in said for word in words), said
    assert not (tmp_path / "run").exists()


def test_a_folder_as_settings_file(refused):
    assert "Cannot read the settings file images" in refused("train", "denoise", "--run=run", "--config=images")


@pytest.mark.parametrize(
    "tag",
    [
        '!!python/object/apply:os.mkdir ["harm"]',
        '!!python/object/new:os.mkdir ["harm"]',
        "!!python/name:os.mkdir",
        "!!python/module:antigravity",
        '!!python/object/apply:pathlib.Path.mkdir [!!python/object/apply:pathlib.Path ["harm"]]',
    ],
)
@pytest.mark.parametrize("where", ["{}", "epochs: {}", "? {}\n: 3"])
def test_code_in_a_settings_file_is_never_run(tag, where, refused, tmp_path):
    (tmp_path / "mine.yaml").write_text(where.format(tag))
    said = refused("train", "denoise", "--images=images", "--run=run", "--config=mine.yaml")
    assert "mine.yaml is not a settings file" in said
    assert not (tmp_path / "harm").exists()
