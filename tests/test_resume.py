"""Fine-tuning that is killed, or shared by processes, ends where one that is neither does."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from adapting import classifier, differing, nouns, state
from conftest import ROOT
from probes.errors import InputError
from probes.transfer.checkpoint import FILE
from probes.transfer.finetune import finetune
from probes.transfer.settings import FinetuneConfig

pytestmark = pytest.mark.usefixtures("one_thread")
SCRIPT = str(ROOT / "tests" / "adapting_run.py")
CONFIG = FinetuneConfig(lr=1e-3, epochs=2, batch_size=16, norm_and_dropout="frozen")


def launch(*arguments, n=1):
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={n}"]
    env = {**os.environ, "ACCELERATE_USE_CPU": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *(launcher if n > 1 else []), SCRIPT, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=env,
    )


def result(out):
    return json.loads(out.with_suffix(".json").read_text()), load_file(f"{out}.safetensors")


def test_a_training_that_is_killed_ends_at_the_same_weights_bit_for_bit(tiny, tmp_path):
    whole = launch(tiny("bert"), tmp_path / "whole", "noisy")
    assert whole.returncode == 0, whole.stderr
    # within an epoch, and two steps after a checkpoint
    done = launch(tiny("bert"), tmp_path / "killed", "noisy", tmp_path / "c", 5)
    assert done.returncode == -signal.SIGKILL
    done = launch(tiny("bert"), tmp_path / "killed", "noisy", tmp_path / "c", 100)
    assert done.returncode == 0, done.stderr
    (expected, weights), (found, again) = (result(tmp_path / n) for n in ("whole", "killed"))
    assert len(expected["losses"]) == 12
    for name in ("losses", "epochs", "best"):
        assert found[name] == expected[name]
    assert not differing(again, weights)


def test_two_processes_probe_and_train_as_one_does(tiny, tmp_path):
    for n in (1, 2):
        done = launch(tiny("bert"), tmp_path / str(n), "lp", n=n)
        assert done.returncode == 0, done.stderr
    (one, weights_1), (two, weights_2) = (result(tmp_path / str(n)) for n in (1, 2))
    assert two["path"] == one["path"]
    np.testing.assert_allclose(two["losses"], one["losses"], rtol=1e-5)
    assert two["best"] == one["best"]
    for name, tensor in weights_1.items():
        if "key.bias" not in name:  # has no gradient but rounding, which Adam makes large
            torch.testing.assert_close(weights_2[name], tensor, rtol=1e-3, atol=1e-4)


def test_a_training_that_is_done_is_read_and_not_run_again(tiny, tmp_path):
    made, task = classifier(tiny("bert")), nouns(96)
    first, history = finetune(made, task, CONFIG, folder=tmp_path)
    names = load_file(tmp_path / FILE)
    assert all(name.startswith("best/") for name in names)
    second, again = finetune(made, task, CONFIG, folder=tmp_path)
    assert again.seconds == history.seconds and again.losses == history.losses
    assert not differing(state(second), state(first))


def test_a_checkpoint_of_another_training_is_refused_by_what_differs(tiny, tmp_path):
    made, task = classifier(tiny("bert")), nouns(96)
    finetune(made, task, CONFIG, folder=tmp_path)
    other = FinetuneConfig(lr=2e-3, epochs=2, batch_size=16, norm_and_dropout="frozen")
    with pytest.raises(InputError, match=r"of another training \(settings: "):
        finetune(made, task, other, folder=tmp_path)
    with pytest.raises(InputError, match=r"of another training \(starting weights: "):
        finetune(classifier(tiny("bert"), seed=1), task, CONFIG, folder=tmp_path)
    with pytest.raises(InputError, match=r"of another training \(items: "):
        finetune(made, nouns(96, seed=5), CONFIG, folder=tmp_path)


def test_a_damaged_checkpoint_is_refused(tiny, tmp_path):
    made, task = classifier(tiny("bert")), nouns(96)
    finetune(made, task, CONFIG, folder=tmp_path)
    path = tmp_path / FILE
    whole = path.read_bytes()
    path.write_bytes(whole[:-50])
    with pytest.raises(InputError, match="is damaged"):
        finetune(made, task, CONFIG, folder=tmp_path)
    path.write_bytes(whole.replace(b'\\"best\\": ', b'\\"best\\":  ', 1)[: len(whole)])
    with pytest.raises(InputError, match="is damaged"):
        finetune(made, task, CONFIG, folder=tmp_path)
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(InputError, match="is damaged"):
        finetune(made, task, CONFIG, folder=tmp_path)
