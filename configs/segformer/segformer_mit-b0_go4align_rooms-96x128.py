_base_ = [
    '../_base_/models/segformer_mit-b0.py',
    '../_base_/datasets/rooms.py',
    '../_base_/schedules/small_12e.py',
    '../_base_/weighting/go4align.py',
    '../_base_/default_runtime.py',
]
model = dict(backbone=dict(init_cfg=None))
