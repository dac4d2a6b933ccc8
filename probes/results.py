"""What is answered: tidy rows of one fixed format, as JSONL and Parquet."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from probes.errors import InputError, unknown

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class Row:
    """One number and what it is.

    Parameters
    ----------
    run : str
        Name of the run's folder.
    task, task_version : str
        ``name/labelling`` of the task, and its version.
    model, revision : str
        Name or folder of the model, and its revision (empty for a folder).
    layer : str
        ``"0"`` … ``str(n_layers)``, ``"final"``, or empty where no layer enters.
    n_layers : int
        Number of blocks of the model.
    method : str
        What gave the answer: ``"probe"``, ``"probe-random-model"``, ``"control-task"``,
        ``"permuted-labels"``, ``"majority"``, ``"word-identity"``, ``"bag-of-words"``,
        ``"length"``; of a model that was adapted ``"zero-shot"``, ``"lp"``,
        ``"ft"``, ``"lp-ft"``, ``"zs-ft"``.
    setting : str
        The method's settings as JSON, such as ``{"penalty": 0.001}``.
    split : str
        ``"train"``, ``"dev"`` or ``"test"``; the part of it after a slash, where it is not the
        whole: ``"test/seen"``, ``"test/unseen"`` (word types of the training split),
        ``"test/first"`` (the words that texts begin with). A test set out of distribution is
        ``"ood/…"`` with its name.
    metric : str
        ``"accuracy"``, ``"macro-f1"``, ``"mcc"``, ``"r2"``, ``"spearman"``, or the differences
        ``"selectivity"`` and ``"over-random"``.
    value, low, high : float or None
        The number and its 95 % interval; None where there is none.
    interval : str
        How the interval was made, such as ``"cluster bootstrap by document"``; another level than
        95 % stands in it.
    n, n_groups : int
        Number of units and of groups that the number rests on.
    n_asked, n_lost : int
        Number of units asked about, and of those that got no vector or no answer.
    why_lost : str
        How many of the lost for which reason, as JSON, such as ``{"no sub-token": 2}``; the
        reasons are ``"no sub-token"``, ``"truncated"`` and ``"unseen class"``.
    seed : int or None
        The draw, where there is one.
    control_of : str
        The task that a control belongs to; empty otherwise.
    store : str
        Key of the activation store that was read.
    config : str
        Digest of the resolved configuration.
    """

    run: str
    task: str
    task_version: str
    model: str
    revision: str
    layer: str
    n_layers: int
    method: str
    setting: str
    split: str
    metric: str
    value: float | None
    low: float | None
    high: float | None
    interval: str
    n: int
    n_groups: int
    n_asked: int
    n_lost: int
    why_lost: str
    seed: int | None
    control_of: str
    store: str
    config: str


COLUMNS: tuple[str, ...] = tuple(f.name for f in dataclasses.fields(Row))


class Results(Sequence[Row]):
    """An immutable list of rows.

    Parameters
    ----------
    rows : iterable of Row
        The rows in order.
    """

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._rows = tuple(rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def __getitem__(self, index: Any) -> Any:
        return Results(self._rows[index]) if isinstance(index, slice) else self._rows[index]

    def __add__(self, other: Results) -> Results:
        return Results(self._rows + tuple(other))

    def __repr__(self) -> str:
        return f"Results({len(self)} rows)"

    def where(self, **values: Any) -> Results:
        """Keep the rows whose columns have these values.

        Parameters
        ----------
        **values
            Column and the value it must equal.

        Returns
        -------
        Results
            In the same order.

        Raises
        ------
        InputError
            If a column is unknown.
        """
        for column in values:
            if column not in COLUMNS:
                raise unknown("column", column, COLUMNS)
        return Results(row for row in self if all(getattr(row, c) == v for c, v in values.items()))

    def one(self, **values: Any) -> Row:
        """Get the only row whose columns have these values.

        Parameters
        ----------
        **values
            Column and the value it must equal.

        Returns
        -------
        Row
            The row.

        Raises
        ------
        InputError
            If there is none, or more than one.
        """
        found = self.where(**values)
        if len(found) != 1:
            raise InputError(f"{len(found)} rows have {values}; expected one")
        return found[0]

    def to_pandas(self) -> pd.DataFrame:
        """Make a data frame of the fixed columns, in their order."""
        import pandas as pd

        return pd.DataFrame([dataclasses.asdict(row) for row in self], columns=list(COLUMNS))

    def save(self, path: str | Path) -> None:
        """Write the rows, each file whole or not at all.

        Parameters
        ----------
        path : str or Path
            Ending in ``.jsonl`` or ``.parquet``.

        Raises
        ------
        InputError
            If the path ends in neither.
        """
        path = Path(path)
        if path.suffix not in (".jsonl", ".parquet"):
            raise unknown("ending of a results file", path.suffix, (".jsonl", ".parquet"))
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            if path.suffix == ".jsonl":
                lines = (json.dumps(dataclasses.asdict(row), ensure_ascii=False) for row in self)
                part.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            else:
                _write_parquet(self, part)
            with open(part, "rb") as file:
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: str | Path) -> Results:
        """Read rows that `save` wrote as JSONL.

        Parameters
        ----------
        path : str or Path
            A ``.jsonl`` file.

        Returns
        -------
        Results
            The rows in order.

        Raises
        ------
        InputError
            If the file is not there, or a line is not a row. The message names the line.
        """
        path = Path(path)
        if not path.is_file():
            raise InputError(f"no results file {path}; run `probes probe` first")
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: byte {error.start} is not UTF-8; run again") from None
        rows = []
        for number, line in enumerate(text.splitlines(), 1):
            try:
                rows.append(Row(**json.loads(line)))
            except (TypeError, ValueError) as error:
                raise InputError(f"{path}, line {number}: not a results row ({error})") from None
        return cls(rows)


def _write_parquet(results: Results, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"str": pa.string(), "int": pa.int64(), "float": pa.float64()}
    schema = pa.schema(
        [(f.name, types[str(f.type).removesuffix(" | None")]) for f in dataclasses.fields(Row)]
    )
    pq.write_table(pa.Table.from_pylist([dataclasses.asdict(r) for r in results], schema), path)
