_base_ = './segformer_mit-b0.py'
checkpoint = 'https://download.openmmlab.com/mmsegmentation/v0.5/pretrain/segformer/mit_b2_20220624-66e8bf70.pth'
head = dict(in_channels=[64, 128, 320, 512])
model = dict(
    backbone=dict(init_cfg=dict(checkpoint=checkpoint), embed_dims=64, num_layers=[3, 4, 6, 3]),
    heads=dict(segmentation=head, depth=dict(head=head), normal=dict(head=head)),
)
