"""Tables written for a test, and the tasks that they are."""

import json
from pathlib import Path
from typing import Any

from probes_tasks.table import Table

from probes.task import Task


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    import datasets

    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    elif path.suffix == ".parquet":
        datasets.Dataset.from_list(rows).to_parquet(str(path))
    else:
        mark = "\t" if path.suffix == ".tsv" else ","
        lines = [mark.join(rows[0]), *(mark.join(map(str, row.values())) for row in rows)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def load(path: str, **options: Any) -> Task:
    (task,) = Table(path, **options).load()
    return task


def same(one: Task, other: Task) -> bool:
    return (
        one.texts == other.texts
        and one.labels.tolist() == other.labels.tolist()
        and one.splits.tolist() == other.splits.tolist()
        and one.spans.tolist() == other.spans.tolist()
    )
