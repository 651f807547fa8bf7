_base_ = [
    '../_base_/models/segformer_mit-b0.py',
    '../_base_/datasets/nyuv2.py',
    '../_base_/schedules/segformer_200e.py',
    '../_base_/weighting/go4align.py',
    '../_base_/default_runtime.py',
]
