"""CelebA: 40 attributes of aligned faces, read as it is downloaded, in its official split.

``img_align_celeba/``, ``list_attr_celeba.txt`` and ``list_eval_partition.txt`` lie in one folder,
in the download's ``Img``, ``Anno`` and ``Eval``, or in torchvision's ``celeba``. Kaggle's form will
do as well: ``img_align_celeba/img_align_celeba/`` and lists as ``.csv``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from go4align_plugins.data.benchmark import FACES, Benchmark
from go4align_plugins.data.pictures import open_picture, to_rgb
from go4align_plugins.tasks import attribute
from go4align_plugins.utils.files import locate, reading
from go4align_plugins.utils.optional import import_optional
from go4align_plugins.utils.texts import read_text

SPLITS = ('train', 'val', 'test')  # in the order of the numbers that stand for them in the file
IMAGES = 'img_align_celeba'
ATTRIBUTES, PARTITION = 'list_attr_celeba', 'list_eval_partition'
FOLDERS = ('', 'Img', 'Anno', 'Eval', 'celeba')
FORMATS = ('JPEG', 'PNG')
HEADER = 'image_id'
_AGAIN = 'If a list is cut, download it again.'

NAMES = (
    '5_o_Clock_Shadow', 'Arched_Eyebrows', 'Attractive', 'Bags_Under_Eyes', 'Bald', 'Bangs',
    'Big_Lips', 'Big_Nose', 'Black_Hair', 'Blond_Hair', 'Blurry', 'Brown_Hair', 'Bushy_Eyebrows',
    'Chubby', 'Double_Chin', 'Eyeglasses', 'Goatee', 'Gray_Hair', 'Heavy_Makeup',
    'High_Cheekbones', 'Male', 'Mouth_Slightly_Open', 'Mustache', 'Narrow_Eyes', 'No_Beard',
    'Oval_Face', 'Pale_Skin', 'Pointy_Nose', 'Receding_Hairline', 'Rosy_Cheeks', 'Sideburns',
    'Smiling', 'Straight_Hair', 'Wavy_Hair', 'Wearing_Earrings', 'Wearing_Hat',
    'Wearing_Lipstick', 'Wearing_Necklace', 'Wearing_Necktie', 'Young',
)  # fmt: skip
CELEBA = Benchmark(
    'celeba',
    'CelebA',
    tuple(map(attribute, NAMES)),
    {'train': 162770, 'val': 19867, 'test': 19962},
    (64, 64),  # the single tasks' results are not published one by one
    inputs=FACES,
    download="""CelebA, aligned and cropped (1.4 GB):
  https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html, "Align&Cropped Images"
  Img/img_align_celeba.zip (unpack it), Anno/list_attr_celeba.txt, Eval/list_eval_partition.txt
  into one folder, with or without Img, Anno and Eval. Kaggle's archive, unpacked, will do, too.
  Then: python tools/prepare_data.py check celeba FOLDER""",
)


class FaceFolder:
    """The faces of a download, their attributes (all, or those of some tasks), and their splits.

    Attributes:
        names: of the N images, in the order of the file.
        labels: (N, T) int8, in the order of the tasks: 1 or 0.
        splits: the numbers of the faces of ``train``, ``val`` and ``test``.
    """

    def __init__(
        self, root: str | Path, benchmark: Benchmark, tasks: Sequence[str] | None = None
    ) -> None:
        root = Path(root).expanduser()
        self._images = benchmark.find_file(root, (IMAGES,), FOLDERS)
        while (self._images / IMAGES).is_dir():
            self._images /= IMAGES
        attributes, partition = (
            benchmark.find_file(root, (f'{name}.txt', f'{name}.csv'), FOLDERS)
            for name in (ATTRIBUTES, PARTITION)
        )
        wanted = [task.name for task in benchmark.select(tasks)]
        self.names, self.labels = read_attributes(attributes, wanted)
        numbers = read_partition(partition, self.names)
        self.splits = {name: np.flatnonzero(numbers == i) for i, name in enumerate(SPLITS)}
        if empty := [name for name, faces in self.splits.items() if not len(faces)]:
            raise ValueError(f'{partition}: should have faces of every split. {empty[0]} has none.')
        present = {path.name for path in self._images.iterdir()}
        missing = [name for name in self.names if name not in present]
        if missing:
            raise ValueError(
                f'{self._images}: should hold the images of {attributes.name}. '
                f'{len(missing)} are missing, the first is {missing[0]}. ' + locate(root, ())
            )

    def __len__(self) -> int:
        return len(self.names)

    def read(self, index: int, size: tuple[int, int]) -> np.ndarray:
        """One face, (H, W, 3) uint8, resized as a whole as in FAMO's code: nothing is cut off."""
        with open_picture(self._images / self.names[index], FORMATS) as picture:
            bilinear = import_optional('PIL.Image').Resampling.BILINEAR
            return np.asarray(to_rgb(picture).resize(size[::-1], bilinear))


def check(
    root: str | Path, progress: bool = True, tasks: Sequence[str] | None = None
) -> tuple[list[str], dict[str, int]]:
    """Checks the lists and every image: a line for each problem, and the faces of each split."""
    try:
        folder = FaceFolder(root, CELEBA, tasks)
    except (ValueError, OSError) as error:
        return [str(error)], {}
    problems = []
    tqdm = import_optional('tqdm').tqdm
    # tqdm's None: no bar where nobody watches.
    for index in tqdm(range(len(folder)), unit=' faces', disable=None if progress else True):
        try:
            folder.read(index, (8, 8))
        except ValueError as error:
            problems.append(str(error))
    return problems, {name: len(part) for name, part in folder.splits.items()}


def read_attributes(path: Path, wanted: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """The images' names; and (N, T) int8, 1 where a wanted attribute is there (1), 0 else (-1)."""
    above, header, faces = _read_list(path, 2, '1 or -1')
    missing = [name for name in wanted if name not in header]
    if missing:
        raise ValueError(
            f'{path}, line {len(above)}: should name the attributes. Missing: {missing[0]}.'
        )
    if above[0] not in ([str(len(faces))], [HEADER, *header]):
        raise ValueError(
            f'{path}, line 1: should be the number of faces. '
            f'Found {" ".join(above[0]):.40} and {len(faces)} faces. {_AGAIN}'
        )
    names = [face[0] for face in faces]
    ((twice, count),) = Counter(names).most_common(1)
    if count > 1:
        raise ValueError(f'{path}: should have each image once. Found {twice} {count} times.')
    columns = [header.index(name) + 1 for name in wanted]
    return names, np.array([[face[i] == '1' for i in columns] for face in faces], np.int8)


def read_partition(path: Path, names: Sequence[str]) -> np.ndarray:
    """The split of each image, (N,) int8: 0 is train, 1 val, 2 test."""
    *_, faces = _read_list(path, 0, '0, 1 or 2')
    found = dict(faces)
    if set(found) != set(names) or len(faces) != len(names):
        other = sorted(set(found) ^ set(names)) or ['an image twice']
        raise ValueError(
            f'{path}: should have the faces of {ATTRIBUTES}. Found {len(faces)} and not '
            f'{len(names)}; only in one of them: {", ".join(other[:3])}. {_AGAIN}'
        )
    return np.array([int(found[name]) for name in names], np.int8)


def _read_list(
    path: Path, num_above: int, rule: str
) -> tuple[list[list[str]], list[str], list[list[str]]]:
    """The lines above the faces, the columns' names, and each face: its image, and its numbers."""
    with reading(path, 'have a line for each face'):
        lines = read_text(path).splitlines()
    rows = [words for line in lines if (words := re.sub('[,;"]', ' ', line).split())]
    # A spreadsheet's CSV has one line above the faces.
    num_above = 1 if rows and rows[0][0] == HEADER else num_above
    above, faces = rows[:num_above], rows[num_above:]
    if not faces:
        raise ValueError(f'{path}: should have a line for each face. Found none. {_AGAIN}')
    header = [name for name in above[-1] if name != HEADER] if above else ['partition']
    allowed = set(re.findall('-?[0-9]', rule))
    for number, face in enumerate(faces, start=num_above + 1):
        if len(face) != len(header) + 1 or not allowed.issuperset(face[1:]):
            raise ValueError(
                f'{path}, line {number}: should be an image and {len(header)} of {rule}. '
                f'Found {" ".join(face[:4]):.80} ({len(face)} words).'
            )
    return above, header, faces
