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
    # Single tasks: segnet-small's configs, seed 0, mean over the last three epochs.
    baseline={
        'segmentation': {'mIoU': 0.1226, 'pixAcc': 0.5889},
        'depth': {'abs_err': 0.6845, 'rel_err': 0.2094},
        'normal': {'mean': 31.6, 'median': 25.09, '<11.25': 0.2147, '<22.5': 0.4548, '<30': 0.5758},
    }
)
test_evaluator = val_evaluator
