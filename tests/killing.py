"""A pass that is killed: forks children which fill a store, and kills each after a while.

Usage: killing.py MODEL STORE KILLS SEED. The last child is left to finish. Prints the number of
children that were killed while the store was incomplete.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

from probes.encoders import TextEncoder
from probes.states import extract, layout
from probes.task import word_task


def corpus(n: int = 240):
    rng = random.Random(5)
    words = [
        "the",
        "old",
        "dog",
        "walks",
        "near",
        "a",
        "light",
        "that",
        "she",
        "likes",
        "unbelievably",
    ]
    sentences = [[rng.choice(words) for _ in range(rng.randint(2, 14))] for _ in range(n)]
    labels = [[word[0] for word in sentence] for sentence in sentences]
    names = [str(k) for k in range(n)]
    splits = ["train"] * n
    return word_task(sentences, labels, splits=splits, groups=names, name="w", labelling="x")


def fill(model: str, root: str) -> None:
    layout.SHARD_TEXTS = 8
    extract(corpus(), TextEncoder.from_pretrained(model), root)


def main() -> None:
    model, root, kills, seed = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    rng = random.Random(seed)
    killed = 0
    for k in range(kills + 1):
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            fill(model, root)
            os._exit(0)
        if k < kills:
            before = len(list(Path(root).rglob("shards/*.json")))
            deadline = time.monotonic() + 20
            # wait until the child writes, then for a random moment of its work
            while time.monotonic() < deadline and (
                len(list(Path(root).rglob("shards/*.json"))) == before < 30
            ):
                time.sleep(0.002)
            time.sleep(rng.random() * 0.03)
            os.kill(child, signal.SIGKILL)
            killed += len(list(Path(root).rglob("shards/*.json"))) < 30
        _, status = os.waitpid(child, 0)
    print(killed, os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
