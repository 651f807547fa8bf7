"""Files that are whole or not there, and advice where they cannot be."""

from __future__ import annotations

import errno
import json
import os
import re
import zipfile
from codecs import BOM_UTF8
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from go4align_plugins.utils.optional import import_optional

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NOT_WRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM)
ADVICE = {
    **dict.fromkeys(NO_ROOM, 'Make room, or choose another folder'),
    **dict.fromkeys(NOT_WRITABLE, 'Choose a folder that can be written to'),
}
NO_HELP = ('allow_pickle', 'weights_only', 'not a zip file')
"""Words of numpy's and torch's errors about any other file; some advise to run the code in it."""
PICKLE = b'\x80'
"""The first byte of checkpoints of torch before 1.6."""
ARCHIVES = ('.zip', '.tar', '.tgz', '.gz', '.bz2', '.xz', '.7z', '.rar')


class DataError(ValueError):
    """Data that cannot be read or breaks a rule; the message names the file and the remedy."""


def save_bytes(path: Path, content: bytes, durable: bool = False) -> None:
    """Write a file aside and rename it; ``durable`` survives a loss of power. Errors name it."""
    aside = path.with_name(f'{path.name}.part')
    try:
        with aside.open('wb') as file:
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        aside.replace(path)
    except OSError as error:
        with suppress(OSError):  # in a folder that is read-only: the first error says so
            aside.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error


def save_json(path: Path, record: Mapping[str, Any]) -> None:
    """Write figures as indented JSON, as :func:`save_bytes` does; the folder is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_bytes(path, json.dumps(record, indent=2).encode() + b'\n')


def advise(error: BaseException, onward: str) -> str:
    """Advise, if need be, behind an error on its line: ``onward`` says how to go on."""
    advice = ADVICE.get(getattr(error, 'errno', 0))
    # So begins torch's message where a process that reads the data is gone.
    if isinstance(error, RuntimeError) and str(error).startswith('DataLoader worker'):
        advice = (
            'A process that reads the data was killed, perhaps for want of memory. '
            'Use fewer workers'
        )
    return f'. {advice}; {onward}. What is finished is kept.' if advice else ''


def explain(
    error: BaseException, onward: str, plain: tuple[type[BaseException], ...]
) -> str | None:
    """Find the message for an error that is ``plain`` or has advice; None: show the traceback."""
    advice = advise(error, onward)
    if not advice and not isinstance(error, plain):
        return None
    message = str(error).strip()
    if '\nOriginal Traceback' in message:  # torch's, around the error of a loader's process
        message = message.splitlines()[-1].partition(': ')[2]
    return message.rstrip('.') + advice if advice else message


def find_damage(path: Path, legacy: bool = False) -> str | None:
    """Find damage by checksums, which torch ignores; ``legacy``: torch before 1.6 had none."""
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
    """Read torch's file onto the CPU; a ValueError: it is damaged, another one, or needs code."""
    damage = find_damage(path, legacy=True)
    if damage:
        raise ValueError(damage)
    try:
        return import_optional('torch').load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # torch raises a different one for every kind of damage
        raise ValueError(describe_damage(path, error)) from error


def describe_damage(path: Path, error: BaseException) -> str:
    """Describe a refused file on one line: the text in its place, or its reader's words."""
    said = ' '.join(str(error).split())
    try:
        stand_in = find_stand_in(path)
        with path.open('rb') as file:
            head = file.read(16)
    except OSError:
        return said
    if not head:
        return 'an empty file'
    said = said or type(error).__name__
    if stand_in or not any(words in said for words in NO_HELP):
        return stand_in or said
    needed = re.search(r'(?:GLOBAL|Unsupported class) ([\w.]+)', said)
    if needed or said.startswith('Object arrays'):
        return f'Python objects, which can run code: {needed[1] if needed else "an object array"}'
    return f'another kind of file, or a part of one; it begins {head!r}'


@contextmanager
def reading(path: Path, rule: str, remedy: str = '', where: str = '') -> Iterator[None]:
    """Turn any error of the block into a DataError that names the file, its rule and the damage."""
    try:
        yield
    except Exception as error:  # every reader raises a different one for every kind of damage
        found = describe_damage(path, error).rstrip('.')
        raise DataError(
            f'{path}: should {rule}. Found{where}: {found}. {remedy}'.rstrip()
        ) from error


def find_stand_in(path: Path) -> str | None:
    """Name the text that was saved in place of a file, if there is one, and the remedy."""
    with path.open('rb') as file:
        head = file.read(1024).removeprefix(BOM_UTF8).lstrip()
    if head.startswith(b'version https://git-lfs'):
        return 'a pointer of Git LFS in place of the file; fetch it by `git lfs pull`'
    if re.match(rb'<[!?a-zA-Z]', head):
        begin = ascii(head[:40].decode(errors='replace'))
        return f'a web page in place of the file, which begins {begin}; download it again'
    return None


def locate(root: Path, wanted: Collection[str | Path]) -> str:
    """Say which folder near this one has any of the wanted paths, or which archive may have."""
    inside, deeper = sorted(root.glob('*')), sorted(root.glob('*/*'))
    for folder in (*inside, root.parent, *deeper) if root.is_dir() else ():
        if folder.is_dir() and any((folder / path).exists() for path in wanted):
            return f'Is it {folder} that you mean?'
    archives = [str(path) for path in (root, *inside, *deeper) if path.suffix in ARCHIVES]
    return f'Unpack {", ".join(archives[:3])} first.' if archives else ''
