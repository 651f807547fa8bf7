"""NYUv2: indoor frames with 13 classes, depth in metres and surface normals."""

from go4align_plugins.data.benchmark import Benchmark
from go4align_plugins.data.units import METRES
from go4align_plugins.tasks import depth, normal, segmentation

COLOURS = {
    'bed': (214, 93, 107), 'books': (139, 90, 60), 'ceiling': (226, 226, 214),
    'chair': (240, 160, 75), 'floor': (176, 141, 110), 'furniture': (110, 135, 190),
    'objects': (150, 200, 90), 'picture': (235, 205, 90), 'sofa': (155, 95, 175),
    'table': (220, 120, 180), 'tv': (45, 52, 66), 'wall': (188, 205, 216),
    'window': (95, 195, 205),
}  # fmt: skip

# The single-task row of the GO4Align paper's Table 1 (arXiv 2404.06486), which repeats FAMO's and
# NashMTL's; shares as shares. Published figures, not results of this package.
SINGLE_TASK = {
    'segmentation': {'mIoU': 0.3830, 'pixAcc': 0.6376},
    'depth': {'abs_err': 0.6754, 'rel_err': 0.2780},
    'normal': {'mean': 25.01, 'median': 19.21, '<11.25': 0.3014, '<22.5': 0.5720, '<30': 0.6915},
}
NYUV2 = Benchmark(
    'nyuv2',
    'NYUv2',
    (segmentation(len(COLOURS)), depth(METRES), normal()),
    {'train': 795, 'val': 654},
    (288, 384),
    class_names=tuple(COLOURS),
    palette=tuple(COLOURS.values()),
    single_task=SINGLE_TASK,
    download="""NYUv2, prepared by MTAN's authors (288 x 384, as most papers; 8 GB):
  https://www.dropbox.com/sh/86nssgwm6hm3vkb/AACrnUQ4GxpdrBbLjb6n-mWNa?dl=0
  Unpack it, then: python tools/prepare_data.py check nyuv2 FOLDER

NYUv2, official (nyu_depth_v2_labeled.mat, 2.8 GB):
  https://cs.nyu.edu/~fergus/datasets/nyu_depth_v2.html, "Labeled dataset"
  Then: python tools/prepare_data.py nyuv2 --mat nyu_depth_v2_labeled.mat --out FOLDER""",
)
