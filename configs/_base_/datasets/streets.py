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
    # Of the single-task configs of segnet-small, the last epoch, seed 0.
    baseline={
        'segmentation': {'mIoU': 0.2, 'pixAcc': 0.6},
        'depth': {'abs_err': 0.3, 'rel_err': 0.1},
    }
)
test_evaluator = val_evaluator
