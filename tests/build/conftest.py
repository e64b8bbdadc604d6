"""One small book, built once; tests that damage it work on a copy."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest
from book_fixture import build, make_book

# A shell that starts the tests in the background lets them ignore Ctrl-C, and their servers would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def good_book(tmp_path_factory) -> Path:
    """The small book, built. Do not change it."""
    book = make_book(tmp_path_factory.mktemp("book") / "good")
    done = build(book)
    assert done.returncode == 0, done.stdout
    return book


@pytest.fixture
def book(good_book: Path, tmp_path: Path) -> Path:
    """A copy of the built small book that a test may damage."""
    return Path(shutil.copytree(good_book, tmp_path / "book", symlinks=True))
