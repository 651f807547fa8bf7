import pytest

from .common import Works


@pytest.fixture(scope='session')
def works(tmp_path_factory):
    return Works(tmp_path_factory.mktemp('data') / 'rooms')
