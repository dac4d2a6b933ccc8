"""The contract on every family: a table of the largest differences.

Usage: python -m tests.families [--save DIR | --against DIR]

--save keeps the models and their vectors; --against reads such models, with another version of
transformers, and compares the vectors at every layer.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
import torch
import transformers
from rich.console import Console
from rich.table import Table

import zoo
from probes.doctor import Check, measure, numbers, padding, units
from probes.doctor.contract import that_fit
from probes.encoders import TextEncoder

MEMBERS = [(family, None) for family in zoo.FAMILIES]
MEMBERS += [(family, part) for family in ("t5", "bart") for part in ("decoder", "both")]
TEXTS = zoo.SENTENCES
COLUMNS = {
    "batch = single": "batch",
    "layers = plain forward": "plain",
    "run from a layer": "run from",
    "words": "words",
    "windows": "windows",
    "attention": "eager",
    "left padding": "left",
    "pad = eos": "pad eos",
    "position 0": "pos. 0",
    "bfloat16": "bf16",
    "hidden_states": "hidden_states",
}


def examined(folder: str, part: str | None, narrow: bool = True) -> tuple[TextEncoder, list[Check]]:
    """The clauses about numbers, on one model; `narrow` for the one about bfloat16, the slowest."""

    def load(dtype, attention=None):
        return TextEncoder.from_pretrained(folder, dtype=dtype, attention=attention, part=part)

    encoder = load("float32")
    texts = that_fit(encoder, TEXTS)
    singles = measure.alone(encoder, texts)
    batch = numbers.batch_is_single(encoder, texts, singles, load)
    checks = [
        numbers.finite(singles, texts),
        batch,
        numbers.plain_forward(encoder, texts, singles),
        numbers.run_from_own_states(encoder, texts[0], singles[0]),
        padding.left_padding(encoder, texts, singles, batch.value or 0.0),
        padding.pad_is_eos(encoder, texts),
        numbers.position_0(encoder, singles),
        numbers.hidden_states_agree(encoder),
        numbers.deterministic(encoder, texts),
        units.pooled(encoder, texts),
        units.windowed(encoder, max(texts, key=len)),
        numbers.attention_is_eager(encoder, texts, singles, load),
    ]
    if narrow:
        checks.append(numbers.dtype_drift(encoder, texts[:4], singles[:4], load))
    return encoder, checks


def cell(check: Check) -> str:
    if check.name == "hidden_states":
        return check.found.partition(": ")[2].replace(" (the last is `final`)", "")
    if check.value is None:
        return "-"
    if check.name == "position 0":
        return f"{check.value:.1f}"
    if check.name == "left padding" and check.outcome == "warn":
        return "right only"
    by_ids = check.name == "left padding" and "with position ids" in check.found
    return measure.shown(check.value) + (" ids" if by_ids else "")


def name_of(family: str, part: str | None) -> str:
    return family if part is None else f"{family} {part}"


def states_of(encoder: TextEncoder) -> dict[str, np.ndarray]:
    texts = that_fit(encoder, TEXTS)
    found = encoder.hidden_states(texts, encoder.layers)
    mask = encoder.pad(texts)[1].bool()
    later = torch.nn.functional.pad(mask, (1, 0), value=True)
    return {k: h[mask if h.shape[1] == mask.shape[1] else later].numpy() for k, h in found.items()}


def compare(there: Path, encoder: TextEncoder) -> float:
    theirs, ours = np.load(there), states_of(encoder)
    if set(theirs.files) != set(ours):
        return float("inf")
    return max(measure.drift(torch.from_numpy(theirs[k]), torch.from_numpy(ours[k])) for k in ours)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--save", type=Path)
    parser.add_argument("--against", type=Path)
    options = parser.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    temporary = tempfile.TemporaryDirectory()
    root = options.against or options.save or Path(temporary.name)
    root.mkdir(parents=True, exist_ok=True)
    failed = []
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    heads = ["family", "layers", *COLUMNS.values()] + ["versions"] * bool(options.against)
    for head in heads:
        table.add_column(head)
    for family, part in MEMBERS:
        folder = root / family
        if not folder.exists():
            zoo.save(family, folder)
        encoder, checks = examined(str(folder), part)
        found = {check.name: check for check in checks}
        cells = [cell(found[name]) for name in COLUMNS]
        wrong = [check.name for check in checks if check.outcome == "fail"]
        vectors = root / f"{name_of(family, part)}.npz"
        if options.against:
            difference = compare(vectors, encoder)
            cells.append(measure.shown(difference))
            wrong += ["versions"] * (difference > measure.TOLERANCE)
        elif options.save:
            np.savez(vectors, **states_of(encoder))
        layers = f"{encoder.n_layers}{' + final' if 'final' in encoder.layers else ''}"
        failed += [f"{name_of(family, part)}: {name}" for name in wrong]
        table.add_row(name_of(family, part), layers, *cells)
    console = Console(width=150)
    console.print(f"transformers {transformers.__version__}, torch {torch.__version__}")
    console.print("largest ‖Δ‖ / ‖h‖ of any vector at any layer; pos. 0: norm over the median")
    console.print(table)
    temporary.cleanup()
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
