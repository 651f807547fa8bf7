# The small SegNet of LibMTL's side, from scratch: 0.4 M parameters.
head = dict(
    type='FCNHead',
    in_channels=16,
    channels=16,
    in_index=0,
    num_convs=1,
    concat_input=False,
    act_cfg=None,
    dropout_ratio=0.0,
    num_classes=13,
    loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
)
model = dict(
    type='MultiTaskSegmentor',
    data_preprocessor=dict(
        type='MTLDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        size_divisor=32,
    ),
    backbone=dict(type='MTLSegNet', channels=(16, 32, 64, 64, 64), convolutions=(1, 1, 2, 2, 2)),
    num_classes=13,
    heads=dict(
        segmentation=head,
        depth=dict(type='DepthHead', head=head),
        normal=dict(type='NormalHead', head=head),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
