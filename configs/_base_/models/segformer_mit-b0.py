# mmseg's SegFormer, with its head for each task.
_base_ = 'mmseg::_base_/models/segformer_mit-b0.py'
checkpoint = 'https://download.openmmlab.com/mmsegmentation/v0.5/pretrain/segformer/mit_b0_20220624-7e0fe6dd.pth'
head = _base_.model.pop('decode_head')
head.loss_decode.avg_non_ignore = True
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
)
