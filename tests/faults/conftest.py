import pytest

from . import common


@pytest.fixture(scope='session')
def rooms(tmp_path_factory):
    folder = tmp_path_factory.mktemp('data') / 'rooms'
    common.render(folder)
    return folder


@pytest.fixture(scope='session')
def works(rooms):
    return common.make_works(rooms)
