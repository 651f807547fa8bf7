_base_ = [
    '../_base_/models/segnet-small.py',
    '../_base_/datasets/rooms.py',
    '../_base_/schedules/small_12e.py',
    '../_base_/weighting/equal.py',
    '../_base_/default_runtime.py',
]
