_base_ = [
    '../_base_/models/upernet_swin-t.py',
    '../_base_/datasets/nyuv2.py',
    '../_base_/schedules/adamw_200e.py',
    '../_base_/weighting/equal.py',
    '../_base_/default_runtime.py',
]
