_base_ = [
    '../_base_/models/deeplabv3plus_r50-d8.py',
    '../_base_/datasets/nyuv2.py',
    '../_base_/schedules/mtan_200e.py',
    '../_base_/weighting/go4align.py',
    '../_base_/default_runtime.py',
]
