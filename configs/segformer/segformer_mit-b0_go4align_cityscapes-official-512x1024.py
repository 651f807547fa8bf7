_base_ = [
    '../_base_/models/segformer_mit-b0.py',
    '../_base_/datasets/cityscapes_official.py',
    '../_base_/schedules/segformer_200e.py',
    '../_base_/weighting/go4align.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size=_base_.crop_size, size_divisor=None),
    tasks=['segmentation', 'depth'],
    num_classes=19,
    test_cfg=dict(mode='slide', crop_size=(1024, 1024), stride=(768, 768)),
)
