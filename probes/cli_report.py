"""The command ``probes report``: tables and pages of runs that are done, made again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from probes.errors import InputError
from probes.flags import asks_help, require_words, take

USAGE = "probes report RUN [RUN …] [--out PAGE.html]"


def report(arguments: list[str]) -> None:
    """Make the tables and the page of runs again.

    Parameters
    ----------
    arguments : list of str
        What stands behind the command.

    Raises
    ------
    InputError
        If a run cannot be read, or several cannot be shown on one page.
    """
    if asks_help(arguments, USAGE):
        return
    out, rest = take(arguments, "--out")
    require_words(rest, USAGE, ["--out", "--help"])
    folders = list(dict.fromkeys(str(Path(argument)) for argument in rest))
    for folder in folders:
        for command, show in ALONE.items():
            if not show(folder, out, len(folders) == 1):
                continue
            if len(folders) > 1:
                raise InputError(
                    f"{folder} is a run of `{command}`, which is reported alone; the runs of "
                    f"`probes probe` share a page: probes report {folder}"
                )
            return
    _of_probes(folders, out)


def print_analogies(folder: str, page: Path) -> None:
    """Print the tables of a run of analogies, and where its page is."""
    from rich.console import Console

    from probes.analogy.finished import load
    from probes.analogy.tables import tables

    console = Console(highlight=False)
    if found := load(folder):
        for table in tables(*found, console.width):
            console.print(table)
    print(f"report: {page}")


def _of_probes(folders: list[str], out: str | None) -> None:
    from probes.report.page import write_page
    from probes.report.summary import summarise
    from probes.report.tables import print_tables

    if out is None and len(folders) > 1:
        raise InputError(f"{len(folders)} runs make one page; name it with --out PAGE.html")
    summaries = summarise(folders)
    page = write_page(folders, out or Path(folders[0]) / "report.html")
    print_tables(summaries)
    print(f"report: {page}")


def _analogies(folder: str, out: str | None, is_alone: bool) -> bool:
    """Make the page of a run of analogies again, if the folder holds one and nothing is beside."""
    from probes.analogy.finished import is_run

    if not is_run(folder):
        return False
    if is_alone:
        from probes.analogy.pages.page import write_page

        print_analogies(folder, write_page(folder, out))
    return True


def _roles(folder: str, out: str | None, is_alone: bool) -> bool:
    """Make the page of a decomposition again, likewise."""
    from probes.roles.pages.write import is_decomposition, write_page

    if not is_decomposition(folder):
        return False
    if is_alone:
        print(f"report: {write_page(folder, out)}")
    return True


def _role_analogies(folder: str, out: str | None, is_alone: bool) -> bool:
    """Print the tables of a run of role-diagnostic analogies again, likewise; it has no page."""
    from probes.roles.analogies.finished import load

    results = load(folder)
    if results is None:
        return False
    if is_alone:
        if out is not None:
            raise InputError(
                f"{folder} is a run of `probes roles analogies`, which has tables and no page; "
                "leave out --out"
            )
        from rich.console import Console

        from probes.roles.analogies.tables import tables

        console = Console(highlight=False)
        for table in tables(results, console.width):
            console.print(table)
        print(f"results: {folder}")
    return True


def _training(folder: str, out: str | None, is_alone: bool) -> bool:
    """Make the page of a run of training again, likewise."""
    from probes.transfer.tables import load

    if load(folder) is None:
        return False
    if is_alone:
        from probes.transfer.printed import print_training
        from probes.transfer.train_page import write_page

        print_training(folder, write_page(folder, out))
    return True


def _wise(folder: str, out: str | None, is_alone: bool) -> bool:
    """Make the page of a run between weights again, likewise."""
    from probes.transfer.tables import load

    if load(folder, "wise") is None:
        return False
    if is_alone:
        from probes.transfer.printed import print_wise
        from probes.transfer.wise_page import write_page

        print_wise(folder, write_page(folder, out))
    return True


ALONE: dict[str, Callable[[str, str | None, bool], bool]] = {
    "probes analogy": _analogies,
    "probes roles": _roles,
    "probes roles analogies": _role_analogies,
    "probes train": _training,
    "probes wise": _wise,
}
"""Commands whose runs are reported alone, and what reports one, or says that it is another's."""
