_base_ = [
    '../_base_/models/segnet-small.py',
    '../_base_/datasets/cityscapes.py',
    '../_base_/schedules/mtan_200e.py',
    '../_base_/weighting/go4align.py',
    '../_base_/default_runtime.py',
]
model = dict(tasks=['segmentation', 'depth'], num_classes=7)
