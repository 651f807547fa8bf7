from pathlib import Path

import pytest

from .common import Work, make_works


class Works(dict[str, Work]):
    """Works by name, on data that is rendered once."""

    def __init__(self, rooms: Path) -> None:
        super().__init__(make_works(rooms))
        self.rooms = rooms


@pytest.fixture(scope='session')
def works(tmp_path_factory):
    return Works(tmp_path_factory.mktemp('data') / 'rooms')
