# CityScapes' twin, rendered by `python tools/prepare_data.py streets --out data/streets`.
_base_ = './cityscapes.py'
data_root = 'data/streets'
train_dataloader = dict(
    num_workers=2,
    dataset=dict(data_root=data_root, benchmark='streets', pipeline=_base_.test_pipeline),
)
val_dataloader = dict(num_workers=2, dataset=dict(data_root=data_root, benchmark='streets'))
test_dataloader = val_dataloader

val_evaluator = dict(
    # Single tasks: segnet-small's configs, seed 0, mean over the last three epochs.
    baseline={
        'segmentation': {'mIoU': 0.5893, 'pixAcc': 0.9175},
        'depth': {'abs_err': 0.02747, 'rel_err': 0.2305},
    }
)
test_evaluator = val_evaluator
