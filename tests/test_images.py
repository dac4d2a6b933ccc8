"""Images as a task: the same pixels are the same task, wherever they come from."""

import contextlib
import dataclasses
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import datasets
import numpy as np
import pytest
from PIL import Image

import image_zoo
from commands import run
from image_zoo import noise
from probes.encoders import ImageEncoder
from probes.errors import InputError
from probes.registry import load_task, load_tasks
from probes.results import Results
from probes.states import ActivationStore, alone, extract, layout
from probes.task import Images, image_task
from test_store import contents

pytestmark = pytest.mark.usefixtures("one_thread")
CLASSES = ("blue", "green", "red")


@pytest.fixture(scope="module")
def vit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "vit"
    image_zoo.save("vit", folder)
    return str(folder)


@pytest.fixture(scope="module")
def encoder(vit):
    return ImageEncoder.from_pretrained(vit)


def coloured(n: int, seed: int = 0, size: int = 24):
    """Noise with one channel a little brighter: its class."""
    random = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    images = random.integers(0, 90, (n, size, size, 3), dtype=np.uint8)
    images[np.arange(n), :, :, 2 - labels] += 100
    return images, [CLASSES[k] for k in labels]


def save_folder(root, images, labels, splits=None):
    for k, (image, label) in enumerate(zip(images, labels, strict=True)):
        folder = root / (splits[k] if splits else "") / label
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{k:04d}.png")


def by_class(images, labels):
    order = np.argsort(labels, kind="stable")
    return images[order], [labels[k] for k in order]


def in_splits(n):
    """Splits in the order that a task has them, and a data set's own names of them."""
    sizes = (n - 2 * (n // 4), n // 4, n // 4)
    return [s for s, m in zip(("train", "validation", "test"), sizes, strict=True) for _ in [0] * m]


@pytest.fixture(scope="module")
def everywhere(tmp_path_factory):
    """The same images as a folder, a data set on disk, and arrays."""
    root = tmp_path_factory.mktemp("data")
    images, labels = coloured(40)
    splits = in_splits(40)
    parts = {s: [k for k in range(40) if splits[k] == s] for s in dict.fromkeys(splits)}
    ordered = {s: by_class(images[rows], [labels[k] for k in rows]) for s, rows in parts.items()}
    save_folder(root / "folder", images, labels, splits)
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=list(CLASSES))}
    )
    sets = {
        split: datasets.Dataset.from_dict(
            {"image": [Image.fromarray(i) for i in some], "label": names}, features=features
        )
        for split, (some, names) in ordered.items()
    }
    datasets.DatasetDict(sets).save_to_disk(root / "set")
    np.savez(
        root / "arrays.npz",
        images=np.concatenate([some for some, _ in ordered.values()]),
        labels=np.array([name for _, names in ordered.values() for name in names]),
        part=np.array([split for split, (some, _) in ordered.items() for _ in some]),
    )
    return root


def test_a_folder_a_data_set_and_arrays_are_one_store(everywhere, encoder, tmp_path):
    tasks = [
        load_task("images", path=str(everywhere / "folder")),
        load_task("images", path=str(everywhere / "set")),
        load_task("images", path=str(everywhere / "arrays.npz"), split="part"),
    ]
    stores = [extract(task, encoder, tmp_path) for task in tasks]
    assert len({store.folder for store in stores}) == 1
    for task in tasks:
        assert task.n_units == 40
        assert task.labels.tolist() == tasks[0].labels.tolist()
        assert task.splits.tolist() == tasks[0].splits.tolist()
        assert task.groups.tolist() == tasks[0].groups.tolist()
        assert (task.unit, task.group_kind) == ("image", "image")
    named = ["train/blue/0000.png", "train 1", "image 0"]
    assert [task.surfaces[0] for task in tasks] == named


def test_one_other_pixel_is_another_key_and_another_name_is_not(encoder, tmp_path):
    images, labels = coloured(6)
    fields = {"name": "x", "labelling": "y", "splits": ["train"] * 6}
    one = image_task(Images.of_arrays(images), labels, **fields)
    two = image_task(Images.of_arrays(images, list("abcdef")), labels[::-1], **fields)
    images = images.copy()
    images[3, 5, 5, 1] ^= 1
    three = image_task(Images.of_arrays(images), labels, **fields)
    stores = [extract(task, encoder, tmp_path) for task in (one, two, three)]
    assert stores[0].folder == stores[1].folder != stores[2].folder
    parts = layout.difference(stores[0].layout.key, stores[2].layout.key)
    assert [part.partition(" ")[0] for part in parts] == ["images"]


def test_a_pass_that_is_interrupted_goes_on_to_the_same_bytes(encoder, tmp_path, monkeypatch):
    monkeypatch.setattr(layout, "SHARD_TEXTS", 4)
    images, labels = coloured(18)
    fields = {"name": "x", "labelling": "y", "splits": ["train"] * 18}
    task = image_task(Images.of_arrays(images), labels, **fields)
    whole = extract(task, encoder, tmp_path / "whole")
    assert len(whole.layout.shards) == 5
    passes = []

    def stop(*args):
        passes.append(1)
        if len(passes) == 3:
            raise KeyboardInterrupt
        return encoder_run(*args)

    encoder_run = ImageEncoder.run
    monkeypatch.setattr(ImageEncoder, "run", stop)
    with pytest.raises(KeyboardInterrupt):
        extract(task, encoder, tmp_path / "killed")
    monkeypatch.setattr(ImageEncoder, "run", encoder_run)
    resumed = extract(task, encoder, tmp_path / "killed")
    assert contents(resumed.folder) == contents(whole.folder)
    assert ActivationStore.open(resumed.folder).verify() == []


def test_vectors_that_are_not_finite_are_located_by_their_image(vit, tmp_path):
    broken = ImageEncoder.from_pretrained(vit)
    broken.blocks()[""][1].register_forward_hook(
        lambda module, args, output: output.masked_fill(output.abs().amax((1, 2), True) > 9, 1e6)
    )
    images, labels = coloured(6)
    images[:] = 120
    images[4] = coloured(5)[0][4] // 90 * 255  # black and white, far from grey
    fields = {"name": "x", "labelling": "y", "splits": ["train"] * 6}
    task = image_task(Images.of_arrays(images, [f"photo {k}" for k in range(6)]), labels, **fields)
    states = broken.hidden_states(task.images, ["2"])["2"]
    assert (states.abs().amax((1, 2)) == 1e6).tolist() == [k == 4 for k in range(6)]
    said = r"layer 2, image 4 \('photo 4'\): the vector of a unit does not fit into float16"
    with pytest.raises(InputError, match=said):
        extract(task, broken, tmp_path, dtype="float16")


def test_two_processes_fill_the_store_of_one(encoder, tmp_path, monkeypatch):
    monkeypatch.setattr(layout, "SHARD_TEXTS", 4)
    images, labels = coloured(18)
    fields = {"name": "x", "labelling": "y", "splits": ["train"] * 18}
    task = image_task(Images.of_arrays(images), labels, **fields)
    whole = extract(task, encoder, tmp_path / "one")
    barrier = threading.Barrier(2, timeout=60)
    shares = [0, 0]

    def process(rank):
        def stage(n_units):
            shares[rank] = n_units
            return contextlib.nullcontext(lambda n: None)

        world = dataclasses.replace(alone(), rank=rank, size=2, wait=barrier.wait)
        return extract(task, encoder, tmp_path / "two", world=world, stage=stage)

    with ThreadPoolExecutor(2) as both:
        shared, _ = both.map(process, range(2))
    assert shares == [10, 8]
    assert contents(shared.folder) == contents(whole.folder)


def test_a_planted_colour_is_read_and_random_labels_are_chance(vit, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images, labels = coloured(400)
    random = np.random.default_rng(3).permutation(labels)
    np.savez("made.npz", images=images, colour=np.array(labels), noise=random)
    done = run(
        *("probe", "--model", vit, "--task.name", "images", "--task.path", "made.npz"),
        *("--task.label", "colour", "noise", "--layers", "0,2,final", "--out", "run"),
        *("--draws", "2", "--no-random-model"),
    )
    assert done.code == 0
    rows = Results.load(tmp_path / "run" / "results.jsonl")
    for layer in ("0", "2", "final"):
        scores = {
            what: rows.one(
                task=f"images/{what}", method="probe", metric="accuracy", layer=layer, split="test"
            )
            for what in ("colour", "noise")
        }
        assert scores["colour"].value == 1.0
        assert abs(scores["noise"].value - 1 / 3) < 0.2
        assert scores["colour"].interval.endswith("by image") or scores["colour"].low == 1.0
    pixels = rows.one(task="images/colour", method="pixels", metric="accuracy")
    assert pixels.value == 1.0
    assert not rows.where(method="bag-of-words")
    assert not rows.where(split="test/unseen")
    assert "images" in done.out and "8×8 pixels" in done.out
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "No image was left out." in page
    assert "None of the images asked about was lost." in page
    told = json.loads((tmp_path / "run" / "run.json").read_text())
    assert told["tasks"][0]["unit"] == "image"
    assert told["tasks"][0]["unseen_type_share"] is None
    assert told["pooling"] == "patch"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--max-tokens", "7"), "--max-tokens 7: it is of texts, and this task is of images"),
        (("--part", "encoder"), "--part encoder: it is of texts"),
        (("--truncation", "window"), "--truncation window: it is of texts"),
        (("--pooling", "last"), "unknown pooling of an image 'last'"),
        (("--task.severity", "6"), "severity is 6; expected 1 (mild) to 5"),
    ],
)
def test_settings_of_texts_are_refused(vit, tmp_path, monkeypatch, flags, said):
    monkeypatch.chdir(tmp_path)
    images, labels = coloured(30)
    np.savez("made.npz", images=images, labels=np.array(labels))
    named = ("--task.name", "images", "--task.path", "made.npz", "--out", "run")
    done = run("probe", "--model", vit, *named, *flags)
    assert done.code == 2
    assert said in done.err


def test_crops_of_one_photograph_are_not_divided(tmp_path):
    images, _ = coloured(60)
    for k, image in enumerate(images):
        folder = tmp_path / "set" / CLASSES[k // 3 % 3]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"photo{k // 3}-crop{k % 3}.png")
    task = load_task("images", path=str(tmp_path / "set"), group_of_name="(.*)-crop")
    assert task.group_kind == "group"
    split_of = {}
    for group, split in zip(task.groups, task.splits, strict=True):
        assert split_of.setdefault(group.partition(":")[2] or group, split) == split
    assert len(split_of) == 20
    assert set(split_of.values()) == {"train", "dev", "test"}
    with pytest.raises(InputError, match=r"does not match group_of_name"):
        load_task("images", path=str(tmp_path / "set"), group_of_name="(scan)")
    with pytest.raises(InputError, match=r"has 0 pairs of brackets"):
        load_task("images", path=str(tmp_path / "set"), group_of_name="crop")


def test_images_of_the_same_pixels_are_one_group_and_counted_where_they_stand_in_two_splits(
    tmp_path,
):
    images, labels = coloured(40)
    images[39] = images[0]
    np.savez(tmp_path / "x.npz", images=images, labels=np.array(labels), part=in_splits(40))
    task = load_task("images", path=str(tmp_path / "x.npz"), split="part")
    assert task.counts["duplicates"] == 1
    assert any("1 of 10 test images also stand in train" in note for note in task.notes)
    drawn = load_task("images", path=str(tmp_path / "x.npz"))
    assert drawn.counts["duplicates"] == 0
    assert len(set(drawn.groups)) == 39


def test_an_image_is_the_same_in_every_form_that_shows_it(tmp_path):
    grey = noise(1)[0][:, :, 0]
    rgb = np.repeat(grey[:, :, None], 3, axis=2)
    palette = Image.fromarray(rgb).convert("P", palette=Image.Palette.ADAPTIVE)
    opaque = np.dstack([rgb, np.full_like(grey, 255)])
    turned = Image.fromarray(np.rot90(rgb))
    exif = turned.getexif()
    exif[0x0112] = 6  # the camera was held so that it must be turned by a quarter, clockwise
    turned.save(tmp_path / "turned.png", exif=exif)
    forms = [grey, grey[:, :, None], rgb, palette, Image.fromarray(opaque), Image.fromarray(grey)]
    forms.append(Image.open(tmp_path / "turned.png"))
    digests = Images.of_arrays(forms).digests
    assert len(set(digests)) == 1


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (np.zeros((4, 4)), "image 0 is an array of float64; expected uint8"),
        (np.zeros((3, 4, 4), np.uint8), r"shape \(3, 4, 4\); expected"),
        (Image.new("I;16", (4, 4)), "more than eight bits a channel"),
        ("cat.png", "image 0 is str"),
    ],
)
def test_what_is_no_image_of_eight_bits_is_one_message(image, said):
    with pytest.raises(InputError, match=said):
        Images.of_arrays([image])[0]


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    images, labels = coloured(12)
    save_folder(tmp_path / "set", images, labels)
    path = tmp_path / "set" / "red" / "0002.png"
    whole = path.read_bytes()
    for content in (b"", b"no image", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(InputError, match=rf"^{path} cannot be read as an image"):
            load_task("images", path=str(tmp_path / "set"))


def test_files_that_are_no_images_are_counted_and_hidden_ones_are_not(tmp_path):
    images, labels = coloured(30)
    save_folder(tmp_path / "set", images, labels)
    (tmp_path / "set" / "red" / "notes.txt").write_text("x")
    (tmp_path / "set" / ".DS_Store").write_text("x")
    task = load_task("images", path=str(tmp_path / "set"))
    assert task.n_units == 30
    assert task.counts["other_files"] == 1


def test_folders_that_do_not_say_a_class_are_one_message(tmp_path):
    images, labels = coloured(6)
    save_folder(tmp_path / "loose", images, labels)
    Image.fromarray(images[0]).save(tmp_path / "loose" / "x.png")
    with pytest.raises(InputError, match=r"x\.png lies in no class folder; expected .*CLASS/x.png"):
        load_task("images", path=str(tmp_path / "loose"))
    save_folder(tmp_path / "mixed", images, labels, ["train"] * 3 + ["held-out"] * 3)
    with pytest.raises(InputError, match=r"holds train, and also 'held-out'"):
        load_task("images", path=str(tmp_path / "mixed"))
    save_folder(tmp_path / "good", images, labels)
    with pytest.raises(InputError, match=r"has no column 'photo'"):
        load_task("images", path=str(tmp_path / "good"), group="photo")
    with pytest.raises(InputError, match="there is no file or folder"):
        load_task("images", path=str(tmp_path / "absent"))


def test_arrays_that_do_not_fit_are_one_message(tmp_path):
    images, labels = coloured(6)
    path = str(tmp_path / "x.npz")
    for arrays, said in (
        ({"images": images}, "unknown array of .*labels"),
        ({"images": images, "labels": np.array(labels[:5])}, r"expected \(6,\), one for each"),
        ({"images": images[0, :, :, 0], "labels": np.array(labels)}, "expected .n, height, width"),
        ({"images": images, "labels": np.array(labels, dtype=object)}, "save plain arrays"),
    ):
        np.savez(path, **arrays)
        with pytest.raises(InputError, match=said):
            load_task("images", path=path)


def test_a_data_set_is_read_from_parquet_and_from_a_folder_with_metadata(everywhere, tmp_path):
    there = load_task("images", path=str(everywhere / "set"))
    (tmp_path / "hub" / "data").mkdir(parents=True)
    for split, part in datasets.load_from_disk(str(everywhere / "set")).items():
        part.to_parquet(tmp_path / "hub" / "data" / f"{split}-00000-of-00001.parquet")
    found = load_task("images", path=str(tmp_path / "hub"))
    assert found.images.digests == there.images.digests
    assert found.labels.tolist() == there.labels.tolist()
    images, labels = coloured(30)
    folder = tmp_path / "with-metadata" / "train"
    folder.mkdir(parents=True)
    lines = []
    for k, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{k}.png")
        lines.append(
            json.dumps({"file_name": f"{k}.png", "label": labels[k], "photo": str(k // 3)})
        )
    (folder / "metadata.jsonl").write_text("\n".join(lines) + "\n")
    found = load_task("images", path=str(tmp_path / "with-metadata"), group="photo")
    assert sorted(found.images.digests) == sorted(Images.of_arrays(images).digests)
    assert found.group_kind == "photo"
    assert len(set(found.groups)) == 10


def test_columns_of_a_data_set_are_named_where_there_is_a_choice(tmp_path):
    images, labels = coloured(30)
    pictures = [Image.fromarray(image) for image in images]
    features = datasets.Features(
        {"left": datasets.Image(), "right": datasets.Image(), "what": datasets.Value("string")}
    )
    rows = {"left": pictures, "right": pictures[::-1], "what": labels}
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(tmp_path / "two")
    path = str(tmp_path / "two")
    with pytest.raises(InputError, match=r"several columns of images \(left, right\); name one"):
        load_task("images", path=path, label=("what",))
    with pytest.raises(InputError, match=r"unknown column of images of .* 'what'"):
        load_task("images", path=path, label=("what",), image="what")
    with pytest.raises(InputError, match=r"unknown column of .* 'label'"):
        load_task("images", path=path, image="left")
    task = load_task("images", path=path, label=("what",), image="left")
    assert sorted(task.images.digests) == sorted(Images.of_arrays(images).digests)
    rows["left"] = [None, *pictures[1:]]
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(tmp_path / "gap")
    with pytest.raises(InputError, match="row 1: column 'left' is empty; drop that row"):
        load_task("images", path=str(tmp_path / "gap"), label=("what",), image="left")


def test_a_limit_keeps_whole_groups_of_training_and_says_what_it_left_out(everywhere):
    whole = load_task("images", path=str(everywhere / "folder"))
    some = load_task("images", path=str(everywhere / "folder"), limit=9)
    assert (some.splits == "train").sum() == 9
    for split in ("dev", "test"):
        assert (some.splits == split).sum() == (whole.splits == split).sum()
    assert some.counts["left_out"] == 11


def test_real_values_of_images_are_read(tmp_path):
    images, _ = coloured(30)
    values = images.mean((1, 2, 3))
    np.savez(tmp_path / "x.npz", images=images, labels=values)
    task = load_task("images", path=str(tmp_path / "x.npz"), kind="real")
    assert sorted(task.labels.tolist()) == sorted(values.tolist())


def test_a_test_set_of_its_own_folder_is_joined(everywhere, tmp_path):
    images, labels = coloured(9, seed=5)
    save_folder(tmp_path / "other", images, labels)
    path = str(everywhere / "folder" / "train")
    task = load_task("images", path=path, test=str(tmp_path / "other"))
    assert (task.splits == "test").sum() == 9
    assert (task.splits != "test").sum() == 20
    with pytest.raises(InputError, match="has a test split; drop one"):
        load_task("images", path=str(everywhere / "folder"), test=str(tmp_path / "other"))


def test_images_and_units_must_fit(encoder):
    images, labels = coloured(4)
    task = image_task(
        Images.of_arrays(images), labels, splits=["train"] * 4, name="x", labelling="y"
    )
    with pytest.raises(InputError, match="no images for 4 units of kind 'image'"):
        dataclasses.replace(task, images=None)
    with pytest.raises(InputError, match="4 images for 4 units of kind 'sentence'"):
        dataclasses.replace(task, unit="sentence")


def test_corrupted_images_are_those_of_test_unless_all_are_asked_for(everywhere):
    path = str(everywhere / "folder")
    clean = load_task("images", path=path)
    (test_alone,) = load_tasks("images", path=path, corruption="contrast", severity=4)
    (every,) = load_tasks("images", path=path, corruption="contrast", corrupted="all")
    changed = [a != b for a, b in zip(clean.images.digests, test_alone.images.digests, strict=True)]
    assert changed == (clean.splits == "test").tolist()
    assert all(a != b for a, b in zip(clean.images.digests, every.images.digests, strict=True))
    assert any(
        "the test images are corrupted: contrast at severity 4 of 5" in note
        for note in test_alone.notes
    )
    assert test_alone.title == f"{clean.title} · contrast 4"
    assert test_alone.groups.tolist() == clean.groups.tolist()
