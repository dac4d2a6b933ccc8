"""The folder of a run: taken for one configuration, given back where it was of no use."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from probes import configs
from probes.errors import InputError
from probes.files import write_whole
from probes.results import Results


@contextmanager
def claimed(out: Path, config: Any) -> Iterator[None]:
    """Take a folder for this run: a new one, or one of the same configuration.

    Where the input cannot be used, a new one in which nothing was done is given back, so that the
    corrected command may name it; a run that is interrupted, or fails with its machine, keeps it,
    to be resumed.
    """
    text = configs.to_yaml(config).encode()
    saved = out / "config.yaml"
    if saved.is_file():
        if difference := _first_difference(saved, config):
            raise InputError(
                f"{out} holds another run ({difference}); choose another --out, or remove that "
                "folder"
            )
        write_whole(saved, text)
        yield
        return
    was_there = out.exists()
    if was_there and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} is there and is no run; choose another --out")
    make_folder(out, "--out")
    write_whole(saved, text)
    try:
        yield
    except InputError:
        if [*out.iterdir()] == [saved]:  # else what was done is of this configuration, and stays
            saved.unlink()
            if not was_there:
                out.rmdir()
        raise


def make_folder(folder: Path, flag: str) -> None:
    """Make a folder, or say which flag names another."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, FileNotFoundError, NotADirectoryError, PermissionError) as error:
        raise InputError(
            f"no folder can be made at {folder} ({error.strerror}); choose another {flag}"
        ) from None


def store_folder(out: str, store: str | None) -> Path:
    """Make the folder of activation stores: the one that is named, or `store` beside the run's."""
    folder = Path(store) if store else Path(out).parent / "store"
    make_folder(folder, "--store")
    return folder


def write_run(out: Path, results: Results, run: dict[str, Any]) -> None:
    """Write what a run found, and what there is to know of it."""
    results.save(out / "results.jsonl")
    results.save(out / "results.parquet")
    text = json.dumps(run, ensure_ascii=False, indent=1)
    write_whole(out / "run.json", (text + "\n").encode())


def _first_difference(saved: Path, config: Any) -> str:
    try:
        old = _flat(configs.read_yaml(saved))
    except InputError:
        return "its config.yaml is none of ours"
    new = _flat(configs.identity(config))
    for key in (*new, *(key for key in old if key not in ("out", "store"))):
        if old.get(key) != new.get(key):
            return f"{key}: {old.get(key)!r} there, {new.get(key)!r} here"
    return ""


def _flat(values: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        nested = {f"{key}.{k}": v for k, v in value.items()} if isinstance(value, dict) else None
        flat.update({str(key): value} if nested is None else nested)
    return flat
