_base_ = [
    '../_base_/models/segformer_mit-b0.py',
    '../_base_/datasets/cityscapes.py',
    '../_base_/schedules/segformer_200e.py',
    '../_base_/weighting/equal.py',
    '../_base_/default_runtime.py',
]
model = dict(tasks=['segmentation', 'depth'], num_classes=7)
