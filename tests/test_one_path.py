"""Text and images are adapted by the same functions, in the same folders."""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

import zoo
from adapting import nouns
from probes.task import sentence_task
from probes.transfer.config import TrainConfig
from probes.transfer.job import run_train
from probes.transfer.settings import Training

images = pytest.importorskip("probes.images", reason="images cannot be read yet")
ROOM = Path("probes") / "transfer"


@dataclasses.dataclass
class Given:
    """Tasks that are there already, as a plug-in's options would load them."""

    tasks: tuple

    def load(self):
        return TASKS[self.tasks]


TASKS = {}


def executed(function):
    """The functions of the room that are executed, by file and name."""
    found = set()

    def look(frame, event, argument):
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.parent.parts[-2:] == ROOM.parts:
            found.add((path.name, frame.f_code.co_qualname))

    sys.setprofile(look)
    try:
        function()
    finally:
        sys.setprofile(None)
    return found


def pictures(n, seed):
    """Bright ones, dark ones, and striped ones, in noise."""
    from probes.task import Images, image_task

    rng = np.random.default_rng(seed)
    arrays = rng.integers(0, 60, (n, 24, 24)).astype(np.uint8)
    arrays[0::3] += 180
    arrays[2::3, ::4] += 180
    labels = ["bright", "dark", "striped"] * (n // 3)
    splits = ["train"] * (n - 24) + ["dev"] * 12 + ["test"] * 12
    return image_task(
        Images.of_arrays(arrays),
        labels,
        splits=splits,
        name="p",
        labelling="kind",
        title=f"p{seed}",
    )


def sentences(n, seed):
    base = nouns(n, seed=seed)
    labels = ["none" if k % 3 == 2 else label for k, label in enumerate(base.labels)]
    return sentence_task(
        base.texts, labels, splits=base.splits, name="s", labelling="kind", title=f"s{seed}"
    )


@pytest.mark.usefixtures("one_thread")
def test_text_and_images_take_the_same_functions(tmp_path):
    import image_zoo

    zoo.save("bert", tmp_path / "bert")
    image_zoo.save("resnet", tmp_path / "resnet")
    seen = []
    for model, make in (("bert", sentences), ("resnet", pictures)):
        TASKS[(model,)] = (make(60, 0), make(60, 1))
        config = TrainConfig(
            model=str(tmp_path / model),
            task=Given((model,)),
            out=str(tmp_path / "runs" / model),
            rates=(1e-4, 1e-3),
            seeds=2,
            training=Training(epochs=1),
        )
        seen.append(executed(lambda config=config: run_train(config)))
    assert len(seen[0]) > 60
    assert seen[0] == seen[1]
