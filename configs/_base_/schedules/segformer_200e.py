# SegFormer's: new heads learn ten times as fast as the pretrained backbone.
_base_ = './adamw_200e.py'
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=10.0))))
