"""The files that a command draws, pages and pictures: their options, and how they are written."""

from collections.abc import Callable
from pathlib import Path

import click

from rnnkit.cli.options import json_option, runs_dir_option
from rnnkit.errors import UsageError


def view_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a command that shows a view: --html, --png, --runs-dir and --json."""
    file = click.Path(path_type=Path, dir_okay=False)
    page = "Write a page here: one file that runs no script and loads nothing."
    for option in (
        json_option,
        runs_dir_option,
        click.option("--png", "png_path", type=file, metavar="FILE", help="Write a picture here."),
        click.option("--html", "html_path", type=file, metavar="FILE", help=page),
    ):
        command = option(command)
    return command


def check_files(*, html_path: Path | None, png_path: Path | None) -> None:
    """Refuse, before any work is done, files that exist and are not of `rnnkit inspect`.

    Raises:
        UsageError: the file is somebody else's, or cannot be read.
    """
    if html_path is not None:
        from rnnkit.views.view import page_mark

        mark = page_mark("inspect").encode()
        check_own(html_path, "--html", "page of rnnkit inspect", lambda head: head.startswith(mark))
    if png_path is not None:
        from rnnkit.views.view import PNG_MARK

        check_own(png_path, "--png", "picture of rnnkit", lambda head: PNG_MARK in head)


def check_own(path: Path, option: str, kind: str, is_ours: Callable[[bytes], bool]) -> None:
    """Refuse a file that exists and is not ours: writing there would lose somebody's work.

    Args:
        path: where something is to be written.
        option: that named it.
        kind: what may be replaced, as in `report of rnnkit`.
        is_ours: whether a file with this beginning (512 bytes at most) is one.

    Raises:
        UsageError: it is not, or it cannot be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"{option} {path}: cannot be read: {error.strerror or error}") from error
    if not is_ours(head):
        raise UsageError(f"{option} {path}: exists and is no {kind}; name another file")
