"""CityScapes: street frames with 7 classes and inverse depth."""

from go4align_plugins.data.benchmark import Benchmark
from go4align_plugins.data.units import INVERSE_DEPTH
from go4align_plugins.tasks import depth, segmentation

COLOURS = {
    'flat': (128, 100, 140), 'construction': (112, 116, 128), 'object': (235, 200, 80),
    'nature': (100, 160, 85), 'sky': (135, 190, 230), 'human': (225, 75, 85),
    'vehicle': (60, 90, 175),
}  # fmt: skip

CITYSCAPES = Benchmark(
    'cityscapes',
    'CityScapes',
    (segmentation(len(COLOURS)), depth(INVERSE_DEPTH)),
    {'train': 2975, 'val': 500},
    (128, 256),
    class_names=tuple(COLOURS),
    palette=tuple(COLOURS.values()),
    # As NYUv2's, of the paper's Table 2.
    single_task={
        'segmentation': {'mIoU': 0.7401, 'pixAcc': 0.9316},
        'depth': {'abs_err': 0.0125, 'rel_err': 27.77},
    },
    # Smaller images come in larger batches.
    batch_sizes={'paper': 8, 'libmtl': 64},
    download="""CityScapes, prepared by MTAN's authors (128 x 256, as most papers; 2.4 GB):
  https://www.dropbox.com/sh/gaw6vh6qusoyms6/AADwWi0Tp3E3M4B2xzeGlsEna?dl=0
  Unpack it, then: python tools/prepare_data.py check cityscapes FOLDER

CityScapes, official (registration needed): https://www.cityscapes-dataset.com/downloads/
  leftImg8bit_trainvaltest.zip, gtFine_trainvaltest.zip, disparity_trainvaltest.zip
  Unpack all three into one folder, then:
  python tools/prepare_data.py cityscapes --root OFFICIAL --out FOLDER""",
)
