"""Whatever a stranger sends, opening it runs nothing, writes nowhere else, reads no other file and fills no memory."""

import ast
import base64
import contextlib
import csv
import io
import json
import re
import shutil
import socket
import struct
import time
import tracemalloc
import warnings
import zipfile
import zlib
from pathlib import Path

import h5py
import imagecodecs
import numpy as np
import pytest
import tifffile
from roifile import ROI_TYPE, ImagejRoi

import n2seg_utils
from n2seg_utils import DenoiseSettings, SegmentSettings, UserError, train_denoiser
from n2seg_utils.cli import main
from n2seg_utils.data import public_sets
from n2seg_utils.data.imagej_rois import read_rois
from n2seg_utils.data.images import open_image
from n2seg_utils.data.labels import open_masks
from n2seg_utils.data.supervisely import read_annotation
from n2seg_utils.data.tables import read_table, write_table
from n2seg_utils.learning.networks import Architecture, unet
from n2seg_utils.models import weights
from n2seg_utils.models.denoise_report import write_denoise_report
from n2seg_utils.models.denoiser import Denoiser
from n2seg_utils.models.segmenter import Segmenter
from n2seg_utils.quality.report import write_report
from n2seg_utils.ui import boxes, workflow

from .conftest import TINY

SOURCES = sorted(Path(n2seg_utils.__file__).parent.rglob("*.py"))
A_LOT = 300_000_000  # bytes that no refusal needs
SCRIPT = "<script>alert(1)</script>"


def refusal(call, *arguments, traced=True):
    """The one sentence that a call ends with, after little time and memory."""
    start = time.perf_counter()
    if traced:  # which slows deep recursion a hundredfold
        tracemalloc.start()
    try:
        with pytest.raises(UserError) as caught:
            call(*arguments)
        assert tracemalloc.get_traced_memory()[1] < A_LOT
    finally:
        tracemalloc.stop()
    assert time.perf_counter() - start < 20
    words = str(caught.value)
    assert 0 < len(words) < 700, "one can read it"
    return words


# Code


def test_nothing_in_the_package_unpickles_or_makes_objects_that_a_file_names():
    forbidden = {"pickle", "joblib", "dill", "cloudpickle", "shelve", "marshal", "torch", "dbm"}
    calls = {"load_model", "model_from_json", "model_from_config", "from_config", "deserialize", "extractall", "eval"}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {alias.name.split(".")[0] for alias in node.names} | {(getattr(node, "module", "") or "")}
                assert not names & forbidden, path
            if isinstance(node, ast.Call) and ast.unparse(node.func) != "type(layer).from_config":  # a copy of our own
                called = getattr(node.func, "attr", getattr(node.func, "id", ""))
                assert called not in calls | {"exec", "unsafe_load", "full_load"}, (path, node.lineno)
                pickles = [getattr(k.value, "value", True) for k in node.keywords if k.arg == "allow_pickle"]
                assert not any(pickles), (path, node.lineno)
                loads = called == "load" and ast.unparse(node.func.value) == "np"
                assert not loads or pickles == [False], (path, node.lineno)


@pytest.fixture
def model(trained, tmp_path):
    """A run folder to spoil."""
    return Path(shutil.copytree(trained.run.path, tmp_path / "model"))


@pytest.fixture
def old(tmp_path):
    """A folder as n2v writes it, and a function that changes its configuration."""
    folder = tmp_path / "old"
    folder.mkdir()
    weights.save(unet(Architecture(depth=1, width=4, narrow_decoder=True)), folder / "weights_best.h5")
    config = {
        "means": ["0.0"], "stds": ["1.0"], "n_dim": 2, "n_channel_in": 1, "n_channel_out": 1, "unet_n_depth": 1,
        "unet_n_first": 4, "unet_kern_size": 3, "unet_residual": False, "unet_last_activation": "linear",
        "batch_norm": False, "n2v_perc_pix": 1.5,
    }  # fmt: skip

    def change(**other):
        (folder / "config.json").write_text(json.dumps(config | other), encoding="utf-8")
        return folder

    return change


def alter(model, **network):
    facts = json.loads((model / "run.json").read_text(encoding="utf-8"))
    facts["network"] |= network
    (model / "run.json").write_text(json.dumps(facts), encoding="utf-8")


HOOKS = [
    {"class_name": "Lambda", "config": {"function": "x"}},
    {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"},
    "os.system",
    ["linear"],
]


@pytest.mark.parametrize("hook", HOOKS)
def test_an_activation_is_a_known_word_and_no_object_of_any_class(hook, model, old):
    alter(model, last_activation=hook)
    assert "run.json is damaged" in refusal(Denoiser.load, model)
    assert "config.json is damaged" in refusal(Denoiser.load, old(unet_last_activation=hook))


def test_an_untouched_folder_opens(model, old):
    assert Denoiser.load(model).architecture.width == 8
    assert Denoiser.load(old()).architecture.width == 4


# Networks that nobody has


ABSURD = {
    "width": [10**6, 10**30, -1, 0, 4.5, "8", [8], 1024],
    "depth": [60, 10**9, -1, "2", 8],
    "channels": [10**6, 0, "1"],
    "outputs": [10**9, "1"],
    "kernel_size": [10**6, 0, 31],
    "dims": [1, 7, 10**9, "2"],
    "pool_z": [10**9],
}
OLD_NAMES = {
    "width": "unet_n_first", "depth": "unet_n_depth", "channels": "n_channel_in", "kernel_size": "unet_kern_size",
    "dims": "n_dim",
}  # fmt: skip
CLAIMS = [(name, value) for name, values in ABSURD.items() for value in values]


@pytest.mark.parametrize(("name", "value"), CLAIMS)
def test_a_network_larger_than_its_weights_is_refused_before_memory_is_taken(name, value, model):
    alter(model, **{name: value})
    assert re.search(r"(run\.json|weights_best\.h5) is damaged, or not of this run", refusal(Denoiser.load, model))


@pytest.mark.parametrize(("name", "value"), [claim for claim in CLAIMS if claim[0] in OLD_NAMES])
def test_so_is_that_of_a_folder_of_n2v(name, value, old):
    assert "is damaged" in refusal(Denoiser.load, old(**{OLD_NAMES[name]: value}))


@pytest.mark.parametrize("width", [10**6, 1024])
def test_so_is_one_to_start_from(width, model, sample, tmp_path):
    alter(model, width=width)
    settings = DenoiseSettings(
        images=str(sample / "images"), run=str(tmp_path / "new"), **(TINY | {"pretrained": str(model)})
    )
    assert "is damaged" in refusal(train_denoiser, settings)


@pytest.mark.parametrize(
    "text", ["[" * 200_000, '{"a":' * 200_000, "[]", "", "\x00", "9" * 10_000, '{"means": 3, "unet_n_depth": 2}']
)
@pytest.mark.parametrize("name", ["run.json", "config.json"])
def test_facts_that_are_no_facts_are_refused(name, text, model, old):
    folder = model if name == "run.json" else old()
    (folder / name).write_text(text, encoding="utf-8")
    assert f"{name} is damaged" in refusal(Denoiser.load, folder)


def test_facts_larger_than_anybody_writes_are_not_read(model):
    with open(model / "run.json", "r+b") as file:
        file.truncate(10**10)  # takes no room on disk
    assert "run.json is damaged" in refusal(Denoiser.load, model)


def test_the_least_number_of_weights_is_no_more_than_a_network_has():
    for more in ({}, {"batch_norm": True}, {"blur_pool": True, "top_skip": False}, {"narrow_decoder": True}):
        for depth in (0, 1, 3):
            for apart in ({}, {"channels": 3, "together": False}, {"channels": 3, "outputs": 4}, {"dims": 3}):
                if depth or not more.get("blur_pool"):
                    one = Architecture(depth=depth, width=4, **more, **apart)
                    held = sum(np.prod(w.shape) for w in unet(one).weights)
                    assert held / 12 < one.least_weights <= held


# Weights


def first_array(file):
    names = []
    file.visititems(lambda name, one: names.append(name) if isinstance(one, h5py.Dataset) else None)
    return names[0]


def secret(tmp_path):
    path = tmp_path / "secret.h5"
    with h5py.File(path, "w") as file:
        file["there"] = np.ones((3, 3, 1, 8), "float32")
    return path


def link_outside(file, name, tmp_path):
    file[name] = h5py.ExternalLink(str(secret(tmp_path)), "/there")


def link_inside(file, name, tmp_path):
    file[name] = h5py.SoftLink("/elsewhere")


def keep_outside(file, name, tmp_path):
    (tmp_path / "secret.bin").write_bytes(bytes(288))
    file.create_dataset(name, (3, 3, 1, 8), "float32", external=[(str(tmp_path / "secret.bin"), 0, 288)])


def map_outside(file, name, tmp_path):
    layout = h5py.VirtualLayout((3, 3, 1, 8), "float32")
    layout[:] = h5py.VirtualSource(str(secret(tmp_path)), "there", (3, 3, 1, 8))
    file.create_virtual_dataset(name, layout)


def claim_terabytes(file, name, tmp_path):
    file.create_dataset(name, (10**6, 10**6), "float32", chunks=(100, 100))


def pack_zeros(file, name, tmp_path):
    file.create_dataset(name, (3000, 3000), "float32", compression="gzip", fillvalue=1)
    file[name][:100] = 0


def hold_text(file, name, tmp_path):
    file[name] = "no weights"


SPOILED = {
    link_outside: "refers to other places",
    link_inside: "refers to other places",
    keep_outside: "refers to other files",
    map_outside: "refers to other files",
    claim_terabytes: "claims 4,000,000,",
    pack_zeros: "claims ",
    hold_text: "is damaged",
}


@pytest.mark.parametrize("spoil", SPOILED, ids=lambda spoil: spoil.__name__)
def test_weights_lie_in_their_own_file_and_are_as_many_as_it_holds(spoil, model, tmp_path):
    with h5py.File(model / weights.BEST, "r+") as file:
        name = first_array(file)
        del file[name]
        spoil(file, name, tmp_path)
    assert SPOILED[spoil] in refusal(Denoiser.load, model)


def test_one_array_cannot_stand_for_many(model):
    with h5py.File(model / weights.BEST, "r+") as file:
        big = file.create_dataset("big", data=np.zeros(10**6, "float32")).name
        for group in list(file.values()):
            if "weight_names" in group.attrs:
                group.attrs["weight_names"] = np.array([big.encode()] * 1000)
    assert "claims " in refusal(Denoiser.load, model)


@pytest.mark.parametrize("seed", range(20))
def test_weights_with_any_bytes_changed_load_or_are_refused(seed, model):
    data, rng = bytearray((model / weights.BEST).read_bytes()), np.random.default_rng(seed)
    for place in rng.integers(0, len(data) if seed % 2 else 4000, 40):
        data[place] = rng.integers(256)
    (model / weights.BEST).write_bytes(data)
    with contextlib.suppress(UserError):
        Denoiser.load(model)


@pytest.mark.parametrize("name", ["../../elsewhere.h5", "/etc/passwd", "sub/other.h5", "..", ["a"], 7])
def test_weights_of_n2v_are_in_its_folder_wherever_its_configuration_points(name, old):
    folder = old(train_checkpoint=name)
    for place in (folder.parent.parent / "elsewhere.h5", folder / "sub" / "other.h5"):
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(b"no weights")
    assert Denoiser.load(folder).architecture.width == 4, "its own are used instead"


# Settings


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{after}: &{after} [{','.join([f'*{before}'] * 9)}]\n" for before, after in zip("abcdefgh", "bcdefghi")
)
MERGES = "a: &a {x: 1}\n" + "".join(
    f"{after}: &{after} {{!!merge '<<': [{','.join([f'*{before}'] * 9)}]}}\n"
    for before, after in zip("abcdefgh", "bcdefghi")
)
HOSTILE_SETTINGS = {
    "laughs": BOMB + "seed: *i",
    "merges": MERGES,
    "deep": "seed: " + "[" * 50_000,
    "long": "images: " + "x" * 10**6,
    "long value": "seed: " + "x" * 90_000,
    "long name": "x" * 900 + ": 1",
    "large number": "seed: " + "9" * 90_000,
    "key": "? [1, 2]\n: 3",
    "NUL": 'images: "a\\0b"',
    "calls": "images: !!python/object/apply:os.system [echo]",
    "binary": "seed: !!binary " + "A" * 90_000,
}


@pytest.mark.parametrize("text", HOSTILE_SETTINGS.values(), ids=HOSTILE_SETTINGS)
@pytest.mark.parametrize("kind", [DenoiseSettings, SegmentSettings])
def test_a_settings_file_is_short_plain_text(kind, text, tmp_path):
    (tmp_path / "settings.yaml").write_text(text, encoding="utf-8")
    assert "settings.yaml" in refusal(kind.load, tmp_path / "settings.yaml", traced=False)


# ROI sets


def packed(path, entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return path


def roi(points, name="one"):
    points = np.array(points, "int32")
    return ImagejRoi(
        roitype=ROI_TYPE.POLYGON, integer_coordinates=points, n_coordinates=len(points), version=227,
        bottom=int(points[:, 1].max()), right=int(points[:, 0].max()), name=name,
    ).tobytes()  # fmt: skip


def read(path, shape=(20, 30), depth=1):
    return read_rois(path, depth, shape, depth)


def test_an_archive_is_read_in_memory_and_writes_nothing_whatever_its_names(tmp_path):
    square = roi([(1, 1), (4, 1), (4, 4), (1, 4)])
    link = zipfile.ZipInfo("link.roi")
    link.external_attr = 0o120777 << 16
    names = ["../up.roi", "/tmp/absolute.roi", "..\\..\\back.roi", "C:\\drive.roi", "a/../../b.roi"]
    (tmp_path / "inside").mkdir()
    path = packed(tmp_path / "inside" / "set.zip", [(name, square) for name in names])
    assert (read(path) > 0).sum() == 9
    assert [p.name for p in tmp_path.rglob("*")] == ["inside", "set.zip"]
    assert "is not a ROI set" in refusal(read, packed(tmp_path / "link.zip", [(link, "/etc/passwd")]))


def test_an_archive_that_unpacks_to_gigabytes_is_refused(tmp_path):
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(10):
            with archive.open(f"{number}.roi", "w") as file:
                for _ in range(64):
                    file.write(bytes(10**6))
    assert path.stat().st_size < 1e6
    assert "is not a ROI set" in refusal(read, path)


def test_an_archive_that_hides_its_size_is_refused(tmp_path):
    path = packed(tmp_path / "set.zip", [("a.roi", roi([(1, 1), (4, 1), (4, 4)]) + bytes(50_000_000))])
    data = path.read_bytes()
    true = struct.pack("<I", zipfile.ZipFile(path).infolist()[0].file_size)
    path.write_bytes(data.replace(true, struct.pack("<I", 200)))
    assert "is not a ROI set" in refusal(read, path)


def test_a_roi_that_claims_points_it_does_not_have_is_refused(tmp_path):
    data = bytearray(roi([(1, 1), (4, 1), (4, 4)]))
    data[16:22] = struct.pack(">Hi", 0, 2**31 - 1)
    (tmp_path / "a.roi").write_bytes(data)
    assert "is not a ROI set" in refusal(read, tmp_path / "a.roi")


def test_an_outline_that_runs_to_and_fro_is_refused(tmp_path):
    points = np.zeros((60_000, 2), "int32")
    points[1::2] = 2000
    (tmp_path / "a.roi").write_bytes(roi(points))
    assert "is not a ROI set" in refusal(read, tmp_path / "a.roi", (2000, 2000))


def test_a_name_made_to_slow_down_the_search_for_patterns_does_not(tmp_path):
    square = [(1, 1), (4, 1), (4, 4), (1, 4)]
    names = ["-t1" * 30_000, "-" * 30_000]
    path = packed(tmp_path / "set.zip", [(f"{n}.roi", roi(square, name)) for n, name in enumerate(names)])
    assert "does not say in which" in refusal(read, path, (20, 30), 3)


# Supervisely


def annotation(tmp_path, *objects, size=(20, 30)):
    path = tmp_path / "a.png.json"
    content = {"size": {"height": size[0], "width": size[1]}, "objects": [{"classTitle": "c"} | o for o in objects]}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def bitmap(png, origin=(0, 0)):
    data = base64.b64encode(zlib.compress(png, 9)).decode()
    return {"geometryType": "bitmap", "bitmap": {"data": data, "origin": list(origin)}}


def outline(kind, points, interior=()):
    return {"geometryType": kind, "points": {"exterior": points, "interior": list(interior)}}


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(width, height, colour=0):
    """A PNG that claims a size and holds next to nothing."""
    head = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


FAR, DAMAGED = "lies outside of the image", "is not a file of a Supervisely project"
HOSTILE_OBJECTS = {
    "packed zeros": (bitmap(bytes(10**8)), DAMAGED),
    "large picture": (bitmap(png_of(10**6, 10**6)), DAMAGED),
    "largest picture": (bitmap(png_of(2**31 - 1, 2**31 - 1, 6)), DAMAGED),
    "far bitmap": (bitmap(imagecodecs.png_encode(np.ones((2, 2), "uint8")), (10**400, 0)), "a.png.json"),
    "large rectangle": (outline("rectangle", [[10**6, 10**6], [10**7, 10**7]]), FAR),
    "endless rectangle": (outline("rectangle", [[0, 0], [float("inf"), 5]]), DAMAGED),
    "nowhere": (outline("polygon", [[0, 0], [float("nan"), 5], [3, 3]]), DAMAGED),
    "large polygon": (outline("polygon", [[0, 0], [10**9, 0], [0, 10**9]]), DAMAGED),
    "larger polygon": (outline("polygon", [[0, 0], [10**300, 0], [0, 10**300]]), DAMAGED),
    "far polygon": (outline("polygon", [[10**6, 10**6], [10**6 + 5, 10**6], [10**6, 10**6 + 5]]), FAR),
    "far hole": (outline("polygon", [[0, 0], [5, 0], [0, 5]], [[[0, 0], [10**9, 0], [0, 10**9]]]), DAMAGED),
    "to and fro": (outline("polygon", [[0, 0], [29, 19]] * 50_000), DAMAGED),
}


@pytest.mark.parametrize(("thing", "words"), HOSTILE_OBJECTS.values(), ids=HOSTILE_OBJECTS)
def test_an_annotation_takes_no_more_memory_than_its_image(thing, words, tmp_path):
    assert words in refusal(read_annotation, annotation(tmp_path, thing), (20, 30))


def test_a_rectangle_around_the_image_is_the_image_however_large_it_is(tmp_path):
    path = annotation(tmp_path, outline("rectangle", [[-(10**12), -5], [10**12, 10**15]]))
    assert (read_annotation(path, (20, 30))[0] == 1).all()


def test_a_class_that_the_project_does_not_list_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((20, 30), "uint8"))
    (tmp_path / "p" / "ds" / "ann").mkdir(parents=True)
    (tmp_path / "p" / "meta.json").write_text(json.dumps({"classes": [{"title": "x"}, {"title": "y"}]}))
    annotation(tmp_path / "p" / "ds" / "ann", outline("rectangle", [[0, 0], [2, 2]]))
    [mask], _ = open_masks(tmp_path / "p", [open_image(tmp_path / "a.tif")])
    assert "class 'c'" in refusal(mask.plane, 0)


@pytest.mark.parametrize("text", ["[" * 200_000, '{"size":' * 200_000])
def test_annotations_nested_beyond_reason_are_refused(text, tmp_path):
    (tmp_path / "a.png.json").write_text(text, encoding="utf-8")
    assert DAMAGED in refusal(read_annotation, tmp_path / "a.png.json", (20, 30))


# Images


def tiff(path, width=100, height=100, **more):
    """A TIFF of a few bytes; tags are changed afterwards, as tifffile itself writes no lies."""
    tifffile.imwrite(path, np.zeros((100, 100), "uint8"), **more)
    with tifffile.TiffFile(path, mode="r+") as file:
        tags = file.pages[0].tags
        for name, value in (("ImageWidth", width), ("ImageLength", height), ("RowsPerStrip", height)):
            tags[name].overwrite(value, dtype="I")
    return path


def described(path, text, count=1, **more):
    tifffile.imwrite(path, np.zeros((count, 16, 16), "uint8"), metadata=None, description=text, **more)
    return path


def ome(inside="", **sizes):
    sizes = {"SizeX": 16, "SizeY": 16, "SizeZ": 1, "SizeC": 1, "SizeT": 1} | sizes
    counts = " ".join(f'{name}="{value}"' for name, value in sizes.items())
    return (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">'
        f'<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" {counts}><Channel ID="c"/>'
        f"{inside or '<TiffData/>'}</Pixels></Image></OME>"
    )


def look(path):
    return open_image(path).plane(0)


def test_a_tiff_that_claims_terabytes_is_refused(tmp_path):
    assert "its end is missing" in refusal(look, tiff(tmp_path / "plain.tif", 10**6, 10**6))
    large = tiff(tmp_path / "packed.tif", 10**6, 10**6, compression="zlib", rowsperstrip=100)
    assert "unpacks to 1,000.0 GB at once" in refusal(look, large)
    larger = tiff(tmp_path / "most.tif", 2**32 - 1, 2**32 - 1, compression="zlib", rowsperstrip=100)
    assert "unpacks to" in refusal(look, larger)


HEADERS = {
    "OME planes": ome(SizeT=10**9),
    "OME planes of planes": ome(SizeT=10**6, SizeZ=10**6, SizeC=10**6),
    "OME plane count": ome('<TiffData PlaneCount="1000000000"/>'),
    "OME steps": ome().replace(
        "</Image>",
        '<AnnotationRef ID="a"/></Image><StructuredAnnotations><XMLAnnotation ID="a" Namespace="modulo"><Value><Modulo>'
        '<ModuloAlongT Type="lifetime" Start="0" End="1000000000" Step="1"/></Modulo></Value></XMLAnnotation>'
        "</StructuredAnnotations>",
    ),
    "OME laughs": '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + "".join(
        f'<!ENTITY {after} "{f"&{before};" * 10}">' for before, after in zip("abcdefghi", "bcdefghij")
    )
    + f"]>{ome().split('?>')[1].replace('<TiffData/>', '<TiffData/>&j;')}",
    "ImageJ": "ImageJ=1.53t\nimages=1000000000\nframes=1000000000\nhyperstack=true\n",
    "shaped": '{"shape": [1000000000, 16, 16]}',
}  # fmt: skip


@pytest.mark.parametrize("text", HEADERS.values(), ids=HEADERS)
def test_planes_that_a_header_names_and_a_file_does_not_hold_take_no_memory(text, tmp_path):
    path = described(tmp_path / "a.tif", text)
    tracemalloc.start()
    with contextlib.suppress(UserError):
        look(path)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < A_LOT


def jpeg_of(width, height):
    data = bytearray(imagecodecs.jpeg_encode(np.zeros((16, 16, 3), "uint8")))
    at = next(i for i in range(len(data)) if data[i] == 0xFF and data[i + 1] in (0xC0, 0xC2))
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


@pytest.mark.parametrize(
    ("name", "data"),
    [("a.png", png_of(2**20, 2**20, 6)), ("b.png", png_of(2**31 - 1, 2**31 - 1))],
    ids=["large", "most"],
)
def test_a_picture_that_claims_more_than_the_memory_is_refused(name, data, tmp_path):
    (tmp_path / name).write_bytes(data)
    assert "unpacks to" in refusal(open_image, tmp_path / name)


def test_so_is_a_jpeg(tmp_path, monkeypatch):
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("Memory", (), {"available": 10**9}))
    (tmp_path / "a.jpg").write_bytes(jpeg_of(65000, 65000))
    assert "unpacks to 12.7 GB at once" in refusal(open_image, tmp_path / "a.jpg")
    (tmp_path / "b.jpg").write_bytes(imagecodecs.jpeg_encode(np.zeros((16, 16, 3), "uint8")))
    assert open_image(tmp_path / "b.jpg").shape == (16, 16, 3)


# Downloads


def test_a_downloaded_archive_writes_into_its_folders_only(tmp_path, monkeypatch):
    import pooch

    data = io.BytesIO()
    tifffile.imwrite(data, np.zeros((8, 8), "uint8"))
    names = ["x/images/a.tif", "x/masks/a.tif", "../../images/up.tif", "/images/absolute.tif", "alone.tif",
             "x/images/../../../out.tif", "x/images/..", "x/images/.tif/"]  # fmt: skip
    link = zipfile.ZipInfo("x/images/link.tif")
    link.external_attr = 0o120777 << 16
    archive = packed(tmp_path / "d.zip", [(name, data.getvalue()) for name in names] + [(link, "/etc/passwd")])
    monkeypatch.setattr(pooch, "retrieve", lambda **about: str(archive))
    place = tmp_path / "a" / "b" / "set"
    public_sets.write_public_set("dsb2018", place)
    written = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file() or p.is_symlink()}
    assert {path for path in written if not path.startswith("a/b/set/")} == {"d.zip"}
    assert not any(path.is_symlink() for path in tmp_path.rglob("*"))
    assert (place / "images" / "a.tif").is_file()


def test_downloads_have_a_checksum():
    assert public_sets._DSB2018["known_hash"].startswith("sha256:")


# What people look at


def test_reports_show_hostile_texts_as_text(trained, tmp_path):
    write_report(
        tmp_path / "r.html", SCRIPT, settings={SCRIPT: SCRIPT}, facts={"a": [SCRIPT]},
        notes=[SCRIPT], warnings=[SCRIPT],
        data=[{"image": SCRIPT, "channels": f'"><img src=x onerror=alert(1)>{SCRIPT}'}], methods=[SCRIPT],
    )  # fmt: skip
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<script" not in text
    assert "<img src=x" not in text
    assert text.count("&lt;script&gt;") == 10
    assert (tmp_path / "r.pdf").read_bytes().startswith(b"%PDF")


HOSTILE_NAME = "=cmd <script>alert(1)<／script> $\\frac{1$ %s {0}"


@pytest.fixture(scope="module")
def hostile(small_sample, tmp_path_factory):
    """Images and masks whose files and channels have hostile names; trained, judged and reported on without network."""
    folder = tmp_path_factory.mktemp("hostile")
    for kind in ("images", "clean", "masks"):
        (folder / kind).mkdir()
        for number, file in enumerate(sorted((small_sample / kind).iterdir())):
            pixels = tifffile.imread(file)
            metadata = {"axes": "YX", "Labels": [SCRIPT]}
            tifffile.imwrite(folder / kind / f"{HOSTILE_NAME}{number}.tif", pixels, imagej=True, metadata=metadata)
    return folder


@pytest.fixture
def no_network(monkeypatch):
    asked = []

    def refuse(self, address, *more):
        if self.family != getattr(socket, "AF_UNIX", None):
            asked.append(address)
            raise OSError("there is no network")
        return

    def lookup(*about, **more):
        asked.append(about)
        raise OSError("there is no network")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    monkeypatch.setattr(socket, "create_connection", lookup)
    return asked


@pytest.mark.parametrize("what", ["denoise", "segment"])
def test_nothing_is_sent_anywhere_and_hostile_names_stay_names(what, hostile, no_network, tmp_path):
    run, out = tmp_path / f"<script>{what}", tmp_path / "out"
    small = [part for name, value in (TINY | {"network_depth": 2}).items() for part in ("--set", f"{name}={value}")]
    partner = ["--truth", hostile / "clean"] if what == "denoise" else ["--masks", hostile / "masks"]
    train = ["train", what, "--images", hostile / "images", *partner, "--run", run, *small]
    if what == "denoise":
        train = ["train", what, "--images", hostile / "images", "--run", run, *small,
                 "--set", f"truth={hostile / 'clean'}"]  # fmt: skip
    assert main(list(map(str, train))) == 0
    assert main(list(map(str, ["predict", "--run", run, "--images", hostile / "images", "--out", out]))) == 0
    assert no_network == []
    assert len(list(out.glob("*.tif"))) == 4
    text = (run / "report.html").read_text(encoding="utf-8")
    assert "<script" not in text
    assert re.search(r'(src|href)="(?!data:)', text) is None, "the report loads nothing"
    tables = [path for path in run.rglob("*.csv") if HOSTILE_NAME in path.read_text(encoding="utf-8")]
    assert tables
    for path in tables:
        with open(path, encoding="utf-8", newline="") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        assert not [cell for cell in cells if cell.startswith("=")], path


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(1)", "\t=1", "\r=1", "'=1", "'"])
def test_a_table_has_no_formulas(name, tmp_path):
    write_table(tmp_path / "t.csv", [{"image": name, name: -0.5, "n": -3, "none": None}])
    with open(tmp_path / "t.csv", encoding="utf-8", newline="") as file:
        [head, row] = csv.reader(file)
    assert head == ["image", f"'{name}", "n", "none"]
    assert row == [f"'{name}", "-0.5", "-3", ""], "numbers stay numbers"
    assert read_table(tmp_path / "t.csv") == [{"image": name, name: "-0.5", "n": "-3", "none": ""}]


def test_boxes_of_a_notebook_show_hostile_texts_as_text(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(boxes, "in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", lambda what, **more: shown.append(what.data))
    taken = tmp_path / SCRIPT.replace("/", "")
    taken.mkdir()
    (taken / "there").touch()
    workflow.free_folder(taken)
    boxes._show_user_error(None, None, UserError(SCRIPT), None)
    assert len(shown) == 2
    assert not any("<script" in html for html in shown)


def test_a_rule_is_numbers(segmenter, tmp_path):
    run = Path(shutil.copytree(segmenter.run.path, tmp_path / "run"))
    facts = json.loads((run / "run.json").read_text(encoding="utf-8"))
    facts["rule"]["no such"] = SCRIPT
    (run / "run.json").write_text(json.dumps(facts), encoding="utf-8")
    assert "run.json is damaged" in refusal(Segmenter.load, run)


def test_a_report_of_a_stranger_s_run_shows_its_facts_as_text(model):
    facts = json.loads((model / "run.json").read_text(encoding="utf-8"))
    facts |= {"device": SCRIPT, "started": SCRIPT, "warnings": [SCRIPT], "versions": {SCRIPT: SCRIPT}}
    (model / "run.json").write_text(json.dumps(facts), encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = write_denoise_report(Denoiser.load(model))
    assert "<script" not in path.read_text(encoding="utf-8")
