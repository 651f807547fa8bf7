# mmseg's UPerNet on Swin-T, with its heads for each task.
_base_ = 'mmseg::_base_/models/upernet_swin.py'
checkpoint = 'https://download.openmmlab.com/mmsegmentation/v0.5/pretrain/swin/swin_tiny_patch4_window7_224_20220317-1cdeb081.pth'
head = _base_.model.pop('decode_head')
head.loss_decode.avg_non_ignore = True
auxiliary_head = _base_.model.pop('auxiliary_head')
auxiliary_head.loss_decode.avg_non_ignore = True
model = dict(
    type='MultiTaskSegmentor',
    data_preprocessor=dict(type='MTLDataPreProcessor', size_divisor=32),
    backbone=dict(init_cfg=dict(type='Pretrained', checkpoint=checkpoint)),
    num_classes=13,
    heads=dict(
        segmentation=head,
        depth=dict(type='DepthHead', head=head),
        normal=dict(type='NormalHead', head=head),
    ),
    auxiliary_heads=dict(
        segmentation=auxiliary_head,
        depth=dict(type='DepthHead', head=auxiliary_head, loss_weight=0.4),
        normal=dict(type='NormalHead', head=auxiliary_head, loss_weight=0.4),
    ),
)
