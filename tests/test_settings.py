"""Settings are read as they were typed, checked in words, and come back from YAML unchanged."""

import dataclasses
import math
import os
from pathlib import Path

import numpy as np
import pytest
import yaml

from n2seg_utils.errors import UserError
from n2seg_utils.knobs import parse, problem
from n2seg_utils.settings import DenoiseSettings

KNOBS = DenoiseSettings.knobs()
RANGED = [name for name, about in KNOBS.items() if about.low is not None]
CHOSEN = [name for name, about in KNOBS.items() if about.choices]
WHOLE = [f.name for f in dataclasses.fields(DenoiseSettings) if f.type in (int, int | None)]
OPEN = [name for name in KNOBS if getattr(DenoiseSettings, name) is None]

# A value that differs from the default, for every setting; texts that YAML is known to mangle.
OTHER = {
    "sample": "spots",
    "images": "/Eigene Bilder/Zellkörper – 細胞 #3: [neu], 'α' \"β\"",
    "truth": "- yes",
    "axes": "ZCYX",
    "run": "0123",
    "minutes": 2.5,
    "patch_size": 128,
    "normalisation": "image",
    "dtype": "input",
    "dimensions": "3d",
    "channels": "together",
    "algorithm": "structn2v",
    "patch_depth": 8,
    "orientations": True,
    "manipulator": "normal_fitted",
    "struct_axis": "square",
    "struct_length": 7,
    "struct_mask": "010; 111; 010",
    "loss": "mae",
    "precision": "mixed",
    "pretrained": "~/models/no",
    "masked_percent": 0.1,
    "neighbourhood_radius": 3,
    "epochs": 7,
    "steps_per_epoch": 9,
    "batch_size": 4,
    "learning_rate": 1e-6,
    "validation_fraction": 0.25,
    "augment": False,
    "network_depth": 4,
    "network_width": 16,
    "kernel_size": 5,
    "batch_norm": True,
    "seed": 2_000_000,
}


def load(tmp_path, text):
    path = tmp_path / "settings.yaml"
    path.write_text(text, encoding="utf-8")
    return DenoiseSettings.load(path)


def refusal(tmp_path, text):
    with pytest.raises(UserError) as caught:
        load(tmp_path, text)
    return str(caught.value)


def proposed(words):
    """The value after 'use', as a user would type it."""
    return words.rpartition("use ")[2]


# What a form needs to know


def test_every_setting_has_words_and_a_place():
    for name, about in KNOBS.items():
        assert about.label, name
        assert about.help.endswith("."), name
        assert about.section in ("data", "training", "result"), name


def test_the_defaults_need_no_change():
    assert DenoiseSettings().problems() == {}
    assert DenoiseSettings().check() == DenoiseSettings()


# Ranges


@pytest.mark.parametrize("name", RANGED)
def test_both_ends_of_a_range_are_allowed_and_what_lies_beyond_is_not(name):
    about = KNOBS[name]
    for end in (about.low, about.high):
        assert name not in DenoiseSettings(**{name: end}).problems()
    step = 1 if name in WHOLE else about.low / 1000 or 0.001
    for beyond, works in ((about.low - step, about.low), (about.high + step, about.high)):
        words = DenoiseSettings(**{name: beyond}).problems()[name]
        assert words.startswith(f"{name} is {beyond}; it must be")
        assert float(proposed(words)) == works


def test_every_number_has_a_range():
    numbers = {f.name for f in dataclasses.fields(DenoiseSettings) if f.type in (int, float, int | None, float | None)}
    assert numbers == set(RANGED)


@pytest.mark.parametrize("name", CHOSEN)
def test_only_the_choices_are_allowed(name):
    for choice in KNOBS[name].choices:
        assert DenoiseSettings(**{name: choice}).problems() == {}
    words = DenoiseSettings(**{name: KNOBS[name].choices[-1].upper()}).problems()[name]
    assert all(choice in words for choice in KNOBS[name].choices)
    assert proposed(words) == KNOBS[name].choices[-1]


@pytest.mark.parametrize(("size", "works"), [(17, 16), (1, 16), (0, 16), (-64, 16), (63, 64), (66, 64), (5000, 1024)])
def test_patches_are_multiples_of_four(size, works):
    words = DenoiseSettings(patch_size=size).problems()["patch_size"]
    assert "a multiple of 4 between 16 and 1024 pixels" in words
    assert proposed(words) == str(works)


@pytest.mark.parametrize(
    ("depth", "size", "works"), [(3, 20, 16), (4, 40, 32), (5, 16, 32), (5, 17, 32), (5, 1020, 1024)]
)
def test_patches_fit_the_depth_of_the_network(depth, size, works):
    settings = DenoiseSettings(network_depth=depth, patch_size=size)
    words = settings.problems()["patch_size"]
    assert f"network_depth {depth}" in words
    assert f"a multiple of {2**depth}" in words
    assert proposed(words) == str(works)
    assert settings.replace(patch_size=works).problems() == {}


def test_kernels_are_odd():
    assert [k for k in range(3, 8) if "kernel_size" in DenoiseSettings(kernel_size=k).problems()] == [4, 6]
    assert proposed(DenoiseSettings(kernel_size=4).problems()["kernel_size"]) == "5"


WRONG = [
    -1e308, -1e9, -64, -1, -0.001, 0, 1e-9, 0.5, 1, 2, 3, 4, 5.5, 6, 8, 15, 17, 31, 33, 63, 100, 1023, 1025, 1e6, 1e9,
    1e308, math.inf, -math.inf, math.nan, "-5", "1e3", "1e-3", "99999999999999999999", "0x10", "abc", "1,5", "1 000",
    "yes", "Auto", "datset", "INPUT", "float64", "¼", "５", "", True, False, None, [1], {}, {"a": 1}, b"5",
]  # fmt: skip


@pytest.mark.parametrize("name", KNOBS)
@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_a_value_that_a_message_proposes_is_accepted(name, depth):
    """Follow what a message says, once, and there is nothing more to be said of that setting."""
    refused = 0
    for wrong in WRONG:
        others = {} if name == "network_depth" else {"network_depth": depth}
        try:
            words = DenoiseSettings(**others, **{name: wrong}).problems().get(name, "")
        except UserError as error:
            words = str(error)
        if not words:
            continue
        refused += 1
        assert words.endswith("leave it empty to have it chosen for you") or "use " in words, words
        right = "" if words.endswith("chosen for you") else proposed(words)
        assert name not in DenoiseSettings.from_mapping({**others, name: right}).problems(), words
    assert refused >= (1 if KNOBS[name].section == "data" or name in ("run", "pretrained") else 10)


def test_all_problems_are_listed_at_once():
    with pytest.raises(UserError) as caught:
        DenoiseSettings(epochs=0, batch_size=9999, dtype="float16").check()
    lines = str(caught.value).splitlines()
    assert len(lines) == 4
    for name in ("epochs", "batch_size", "dtype"):
        assert sum(line.strip().startswith(f"{name} is ") for line in lines) == 1


def test_a_number_that_is_none_is_never_proposed():
    for value in (math.nan, math.inf, -math.inf):
        words = problem(KNOBS["learning_rate"], "learning_rate", value)
        assert float(proposed(words)) == KNOBS["learning_rate"].low


# Kinds: from a form, from the shell, from Python


@pytest.mark.parametrize(
    ("name", "typed", "meant"),
    [
        ("epochs", " 12 ", 12),
        ("epochs", "12.0", 12),
        ("epochs", "1e2", 100),
        ("epochs", "05", 5),
        ("epochs", np.int64(5), 5),
        ("minutes", "1e-1", 0.1),
        ("minutes", 3, 3.0),
        ("learning_rate", "1e-3", 0.001),
        ("learning_rate", np.float32(0.5), 0.5),
        ("augment", "No", False),
        ("augment", "on", True),
        ("augment", 0, False),
        ("batch_norm", "TRUE", True),
        ("run", Path("a") / "b", str(Path("a") / "b")),
        ("run", "  my run ", "my run"),
        ("images", 2024, "2024"),
    ],
)
def test_what_is_typed_becomes_what_is_meant(name, typed, meant):
    for settings in (DenoiseSettings(**{name: typed}), DenoiseSettings.from_mapping({name: typed})):
        value = getattr(settings, name)
        assert value == meant
        assert type(value) is type(meant)


@pytest.mark.parametrize(
    ("name", "typed", "kind"),
    [
        ("epochs", "many", "a whole number"),
        ("epochs", 2.5, "a whole number"),
        ("epochs", True, "a whole number"),
        ("epochs", "1e400", "a whole number"),
        ("learning_rate", "0,001", "a number"),
        ("learning_rate", False, "a number"),
        ("augment", "maybe", "true or false"),
        ("augment", 2, "true or false"),
        ("run", ["a"], "text"),
        ("images", {"a": 1}, "text"),
    ],
)
def test_the_wrong_kind_of_value_is_refused(name, typed, kind):
    for make in (lambda: DenoiseSettings(**{name: typed}), lambda: DenoiseSettings().replace(**{name: typed})):
        with pytest.raises(UserError, match=f"{name} is .* it must be {kind}: use"):
            make()


@pytest.mark.parametrize("name", OPEN)
def test_open_settings_can_be_left_to_the_package(name):
    for nothing in ("", "  ", "auto", "Auto", "none", None):
        assert parse(DenoiseSettings, name, nothing) is None
    with pytest.raises(UserError, match="leave it empty to have it chosen for you"):
        parse(DenoiseSettings, name, "some")


@pytest.mark.parametrize("name", KNOBS)
def test_nothing_typed_means_the_default(name):
    for nothing in ("", " ", None):
        assert parse(DenoiseSettings, name, nothing) == getattr(DenoiseSettings(), name)


def test_only_open_settings_know_auto():
    with pytest.raises(UserError, match="epochs is 'auto'"):
        DenoiseSettings(epochs="auto")
    assert DenoiseSettings(axes="auto", images="auto").to_dict().items() >= {"axes": "auto", "images": "auto"}.items()


# Names


@pytest.mark.parametrize(
    ("typed", "meant"), [("epoch", "epochs"), ("normalization", "normalisation"), ("Seed", "seed")]
)
def test_an_unknown_setting_with_a_near_miss(typed, meant):
    with pytest.raises(UserError, match=f"There is no setting '{typed}': did you mean '{meant}'"):
        DenoiseSettings.from_mapping({typed: 1})


def test_an_unknown_setting_like_no_other_lists_them_all():
    with pytest.raises(UserError) as caught:
        DenoiseSettings.from_mapping({"zzz": 1})
    assert all(name in str(caught.value) for name in KNOBS)


# YAML


def test_the_example_values_cover_every_setting():
    assert set(OTHER) == set(KNOBS)
    assert all(OTHER[name] != value for name, value in DenoiseSettings().to_dict().items())


def test_settings_come_back_from_yaml_unchanged(tmp_path):
    for settings in (DenoiseSettings(), DenoiseSettings(**OTHER)):
        back = load(tmp_path, settings.to_yaml())
        assert back == settings
        assert [type(v) for v in back.to_dict().values()] == [type(v) for v in settings.to_dict().values()]


@pytest.mark.parametrize("name", KNOBS)
def test_each_setting_comes_back_alone(name, tmp_path):
    settings = DenoiseSettings(**{name: OTHER[name]})
    assert getattr(load(tmp_path, settings.to_yaml()), name) == OTHER[name]


@pytest.mark.parametrize(
    "path",
    [
        "C:\\Users\\Jörg\\Bilder",
        "/データ/細胞 01",
        "/a: b",
        "#start",
        "a # b",
        "- dash",
        "{x}",
        "null",
        "~",
        "yes",
        "010",
        "1e3",
        "2024-01-02",
        "🔬/é" + "x" * 300,
        'it\'s "both"',
        "*star",
        "%percent",
        "tab\there",
    ],
)
def test_no_path_is_mangled(path, tmp_path):
    assert load(tmp_path, DenoiseSettings(images=path).to_yaml()).images == path


@pytest.mark.parametrize(
    ("pasted", "path"),
    {
        "quotes of Windows": ('"C:\\my images"', "C:\\my images"),
        "quotes of a shell, and blanks": (" '/my images' \n", "/my images"),
        "a file manager's address": ("file:///my%20images/%C3%A9", "/my images/é"),
        "a name with quotes in it": ("'a' or 'b'", "'a' or 'b'"),
        "one quote": ("5'", "5'"),
    }.values(),
)
@pytest.mark.skipif(os.name == "nt", reason="file:// leads elsewhere")
def test_what_other_programs_put_around_a_path_is_taken_off(pasted, path):
    assert DenoiseSettings(images=pasted).images == path


def test_yaml_explains_every_setting_in_a_comment():
    lines = DenoiseSettings(**OTHER).to_yaml().splitlines()
    for name, about in KNOBS.items():
        place = next(i for i, line in enumerate(lines) if line.startswith(f"{name}:"))
        assert lines[place - 1] == f"# {about.help}"
    assert "細胞" in "".join(lines), "readable, not escaped"


def test_yaml_is_what_other_programs_understand():
    assert yaml.safe_load(DenoiseSettings(**OTHER).to_yaml()) == OTHER


@pytest.mark.parametrize(
    ("text", "name", "meant"),
    [
        ("learning_rate: 1e-3", "learning_rate", 0.001),
        ("learning_rate: 1.0e-03", "learning_rate", 0.001),
        ("epochs: 1e3", "epochs", 1000),
        ("seed: 05", "seed", 5),
        ("seed: 010", "seed", 10),
        ("seed: '7'", "seed", 7),
        ("augment: no", "augment", False),
        ("batch_norm: yes", "batch_norm", True),
        ("batch_norm: On", "batch_norm", True),
        ("run: yes", "run", "yes"),
        ("run: 0123", "run", "0123"),
        ("run: 1.10", "run", "1.10"),
        ("run: 12:30", "run", "12:30"),
        ("run: 2024-01-02", "run", "2024-01-02"),
        ("minutes: auto", "minutes", None),
        ("minutes: null", "minutes", None),
        ("minutes: ~", "minutes", None),
        ("minutes:", "minutes", None),
        ("epochs: 5 # a few", "epochs", 5),
        ("\ufeffepochs: 5", "epochs", 5),
        ("epochs: 5\r\nseed: 2\r\n", "epochs", 5),
        ("{epochs: 5}", "epochs", 5),
    ],
)
def test_what_is_typed_into_yaml_is_what_is_meant(text, name, meant, tmp_path):
    value = getattr(load(tmp_path, text), name)
    assert value == meant
    assert type(value) is type(meant)


@pytest.mark.parametrize("text", ["minutes: 1:30", "epochs: 0o17", "epochs: 0x10", "learning_rate: .nan", "seed: [1]"])
def test_odd_numbers_are_refused_rather_than_guessed(text, tmp_path):
    name = text.partition(":")[0]
    assert f"{tmp_path / 'settings.yaml'}: {name} is " in refusal(tmp_path, text)


def test_an_empty_file_gives_the_defaults(tmp_path):
    assert load(tmp_path, "") == load(tmp_path, "# nothing but words\n") == DenoiseSettings()


@pytest.mark.parametrize(
    "text",
    ["- a\n- b", "just words", "epochs: [", "a: b: c", "\tepochs: 5", "epochs: 'x", "42", "? [a]\n: 1", "a: !!int x"],
)
def test_what_is_not_a_mapping_is_refused(text, tmp_path):
    words = refusal(tmp_path, text)
    assert str(tmp_path / "settings.yaml") in words
    assert "write one 'name: value' a line" in words


def test_what_is_not_text_is_refused(tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\x00\xff\xfe")
    with pytest.raises(UserError, match="is not a settings file"):
        DenoiseSettings.load(path)


@pytest.mark.parametrize("name", ["there is none.yaml", "."])
def test_a_file_that_cannot_be_opened_is_named(name, tmp_path):
    with pytest.raises(UserError) as caught:
        DenoiseSettings.load(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert "Check its path" in str(caught.value)


def test_a_wrong_name_or_value_in_a_file_names_the_file(tmp_path):
    assert f"{tmp_path / 'settings.yaml'}: There is no setting 'epoch': did you mean 'epochs'?" == refusal(
        tmp_path, "epoch: 3"
    )
    assert str(tmp_path / "settings.yaml") in refusal(tmp_path, "epochs: many")


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:pathlib.Path.touch [{mark}]",
        "!!python/object/apply:os.mkdir ['{mark}']",
        "!!python/name:os.system ''",
        "!!python/object:n2seg_utils.settings.DenoiseSettings {{}}",
        "!mine 5",
    ],
)
def test_python_objects_in_yaml_are_refused_and_not_made(tag, tmp_path):
    mark = tmp_path / "mark"
    assert "is not a settings file" in refusal(tmp_path, f"images: {tag.format(mark=mark)}")
    assert not mark.exists()


# Copies


def test_replace_leaves_the_original_alone():
    first = DenoiseSettings(epochs=5)
    assert first.replace(epochs="6") == DenoiseSettings(epochs=6)
    assert first.epochs == 5
