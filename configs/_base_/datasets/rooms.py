# NYUv2's twin, rendered by `python tools/prepare_data.py rooms --out data/rooms`.
_base_ = './nyuv2.py'
data_root = 'data/rooms'
train_dataloader = dict(
    num_workers=2,
    dataset=dict(data_root=data_root, benchmark='rooms', pipeline=_base_.test_pipeline),
)
val_dataloader = dict(num_workers=2, dataset=dict(data_root=data_root, benchmark='rooms'))
test_dataloader = val_dataloader

val_evaluator = dict(
    # Of the single-task configs of segnet-small, the last epoch, seed 0.
    baseline={
        'segmentation': {'mIoU': 0.2, 'pixAcc': 0.6},
        'depth': {'abs_err': 0.3, 'rel_err': 0.1},
        'normal': {'mean': 20.0, 'median': 15.0, '<11.25': 0.4, '<22.5': 0.6, '<30': 0.7},
    }
)
test_evaluator = val_evaluator
