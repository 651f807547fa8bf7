# Minutes on two cores, from scratch: for the embedded data.
_base_ = './mtan_200e.py'
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = []
train_cfg = dict(max_epochs=12)
default_hooks = dict(logger=dict(interval=10))
