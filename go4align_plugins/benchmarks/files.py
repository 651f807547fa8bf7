"""Files that are whole or not there; and what to do where they cannot be."""

from __future__ import annotations

import errno
import json
import os
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NOT_WRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM)
LOST_WORKER = 'DataLoader worker'
"""How torch begins when it tells that a process that reads the data is gone."""


class DataError(ValueError):
    """Data that cannot be read or breaks a rule; the message names the file and what to do."""


def save_bytes(path: Path, content: bytes, durable: bool = False) -> None:
    """Writes a file aside and renames it: under its own name it is never half-written.

    Args:
        path: the file.
        content: all of it.
        durable: whether to wait until it is on the disk, so that it survives a loss of power, too.

    Raises:
        OSError: if it cannot be written; the message names the file.
    """
    aside = path.with_name(f'{path.name}.part')
    try:
        with aside.open('wb') as file:
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        aside.replace(path)
    except OSError as error:
        with suppress(OSError):  # in a folder that is read-only: the first error tells it
            aside.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error


def save_json(path: Path, record: Mapping[str, Any]) -> None:
    """Writes figures as indented JSON, as :func:`save_bytes` does; the folder is made if need be.

    Raises:
        OSError: if it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    save_bytes(path, json.dumps(record, indent=2).encode() + b'\n')


def advise(error: BaseException, onward: str) -> str:
    """What to do about a file that cannot be written, or a loader's process that was killed.

    Args:
        error: what was raised.
        onward: how to go on, in words.

    Returns:
        What to print after the error, on its line: a leaderboard keeps the last line of a log.
        Nothing of other errors.
    """
    if isinstance(error, RuntimeError) and str(error).startswith(LOST_WORKER):
        return (
            '. A process that reads the data was killed, perhaps for want of memory. Use fewer '
            f'workers; {onward}. What is finished is kept.'
        )
    code = getattr(error, 'errno', None)
    if code in NO_ROOM:
        return f'. Make room, or choose another folder; {onward}. What is finished is kept.'
    if code in NOT_WRITABLE:
        return f'. Choose a folder that can be written to; {onward}. What is finished is kept.'
    return ''


def explain(
    error: BaseException, onward: str, plain: tuple[type[BaseException], ...]
) -> str | None:
    """What to print of an error that its user can mend.

    Args:
        error: what was raised, perhaps in a loader's process.
        onward: how to go on, in words.
        plain: errors whose message says all.

    Returns:
        Its message, and advice, on one line; None for an error whose traceback is needed.
    """
    advice = advise(error, onward)
    if not advice and not isinstance(error, plain):
        return None
    message = str(error).strip()
    if '\nOriginal Traceback' in message:  # torch's, around what a loader's process raised
        message = message.splitlines()[-1].partition(': ')[2]
    return message.rstrip('.') + advice if advice else message


def find_damage(path: Path) -> str | None:
    """What is wrong with a checkpoint of torch's, by the checksums in it; None if it is whole.

    torch itself looks at none of them: a flipped bit would be a wrong parameter.
    """
    try:
        with zipfile.ZipFile(path) as file:
            damaged = file.testzip()
    except Exception as error:  # a different one for every kind of damage
        return ' '.join(str(error).split())
    return None if damaged is None else f'a wrong checksum of {damaged}'
