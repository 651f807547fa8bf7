"""Files that are whole or not there; and what to do where they cannot be."""

from __future__ import annotations

import errno
import json
import os
import re
import zipfile
from codecs import BOM_UTF8
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from go4align_plugins.utils.optional import import_optional

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NOT_WRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM)
LOST_WORKER = 'DataLoader worker'
"""How torch begins when it tells that a process that reads the data is gone."""
NO_HELP = ('allow_pickle', 'weights_only', 'not a zip file')
"""Words of numpy's and torch's errors about any other file; some advise to run the code in it."""
PICKLE = b'\x80'
"""The first byte of checkpoints of torch before 1.6."""
ARCHIVES = ('.zip', '.tar', '.tgz', '.gz', '.bz2', '.xz', '.7z', '.rar')


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
    """Advise on a file that cannot be written, or a loader's process that was killed.

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
    """Find the words for an error that its user can mend.

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


def find_damage(path: Path, legacy: bool = False) -> str | None:
    """Find damage in a checkpoint of torch's by the checksums in it.

    torch itself looks at none of them: a flipped bit would be a wrong parameter.

    Args:
        path: the file.
        legacy: whether a file of torch before 1.6 will do, which has no checksums.

    Returns:
        The damage in words; None if the file is whole.
    """
    try:
        if legacy and not zipfile.is_zipfile(path):
            with path.open('rb') as file:
                if file.read(1) == PICKLE:
                    return None
        with zipfile.ZipFile(path) as file:
            damaged = file.testzip()
    except Exception as error:  # a different one for every kind of damage
        return describe_damage(path, error)
    return None if damaged is None else f'a wrong checksum of {damaged}'


def load_tensors(path: Path) -> Any:
    """Read a file of torch's that needs no code, onto the CPU.

    Raises:
        ValueError: if it is damaged, another file or needs code; the message does not name it.
    """
    torch = import_optional('torch')
    damage = find_damage(path, legacy=True)
    if damage:
        raise ValueError(damage)
    try:
        return torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # torch raises a different one for every kind of damage
        raise ValueError(describe_damage(path, error)) from error


def describe_damage(path: Path, error: BaseException) -> str:
    """Describe a file that its reader refuses, on one line.

    Args:
        path: the file.
        error: what the reader raised.

    Returns:
        The text that lies in place of the file, if there is one; else the reader's own words,
        unless they are of no help.
    """
    try:
        stand_in = find_stand_in(path)
        with path.open('rb') as file:
            head = file.read(16)
    except OSError:
        return ' '.join(str(error).split())
    if not head:
        return 'an empty file'
    said = ' '.join(str(error).split()) or type(error).__name__
    if stand_in or not any(words in said for words in NO_HELP):
        return stand_in or said
    needed = re.search(r'(?:GLOBAL|Unsupported class) ([\w.]+)', said)
    if needed or said.startswith('Object arrays'):
        return f'Python objects, which can run code: {needed[1] if needed else "an object array"}'
    return f'another kind of file, or a part of one; it begins {head!r}'


def find_stand_in(path: Path) -> str | None:
    """Find the text that was saved in place of a file: a pointer of Git LFS, or a web page.

    Returns:
        The text in words, and the remedy; None if there is other content.

    Raises:
        OSError: if the file cannot be read.
    """
    with path.open('rb') as file:
        head = file.read(1024).removeprefix(BOM_UTF8).lstrip()
    if head.startswith(b'version https://git-lfs'):
        return 'a pointer of Git LFS in place of the file; fetch it by `git lfs pull`'
    if re.match(rb'<[!?a-zA-Z]', head):
        begin = ascii(head[:40].decode(errors='replace'))
        return f'a web page in place of the file, which begins {begin}; download it again'
    return None


def locate(root: Path, wanted: Collection[str | Path]) -> str:
    """Say where data that a folder lacks may be: in a folder near it, or in an archive.

    Args:
        root: the folder.
        wanted: paths in the right folder; one of them is enough to know it.

    Returns:
        A sentence; empty if the data is not near.
    """
    inside, deeper = sorted(root.glob('*')), sorted(root.glob('*/*'))
    for folder in (*inside, root.parent, *deeper) if root.is_dir() else ():
        if folder.is_dir() and any((folder / path).exists() for path in wanted):
            return f'Is it {folder} that you mean?'
    archives = [str(path) for path in (root, *inside, *deeper) if path.suffix in ARCHIVES]
    return f'Unpack {", ".join(archives[:3])} first.' if archives else ''
