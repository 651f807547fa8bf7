"""Every test of this folder begins in mmseg's scope, whatever ran before it."""

import pytest


@pytest.fixture(autouse=True)
def scope():
    try:
        from mmengine.registry import DefaultScope
    except ImportError:
        # The tests themselves say what they need.
        yield
        return
    with DefaultScope.overwrite_default_scope('mmseg'):
        yield
