# CityScapes as it is downloaded: 19 classes and disparity at 1024 x 2048, trained on crops.
_base_ = './cityscapes.py'
# Holds leftImg8bit, gtFine and disparity.
data_root = 'data/cityscapes_official'
crop_size = (512, 1024)
train_pipeline = [
    dict(type='LoadMTLFrame'),
    dict(
        type='RandomResize',
        scale=(2048, 1024),
        ratio_range=(0.5, 2.0),
        keep_ratio=True,
        resize_type='MTLResize',
        divide_depth=True,
    ),
    dict(type='MTLRandomCrop', crop_size=crop_size, cat_max_ratio=0.75),
    dict(type='MTLRandomFlip', prob=0.5),
    dict(type='MTLPhotoMetricDistortion'),
    dict(type='PackMTLInputs'),
]
train_dataloader = dict(
    batch_size=2,
    dataset=dict(data_root=data_root, layout='official', pipeline=train_pipeline),
)
val_dataloader = dict(batch_size=1, dataset=dict(data_root=data_root, layout='official'))
test_dataloader = val_dataloader

# There are no published single-task results of this protocol.
val_evaluator = dict(type='Evaluator', _delete_=True, metrics=_base_.val_evaluator.metrics)
test_evaluator = val_evaluator
