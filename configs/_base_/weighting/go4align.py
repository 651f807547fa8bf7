# GO4Align on top of any config: its optimizer wrapper becomes a weighted one, all else is kept.
# A config that has `custom_hooks` of its own names the wrapper instead:
# optim_wrapper = dict(type='GO4AlignOptimWrapper', num_groups=2, step_size=1e-4)

# Reading is early enough to mend what mmcv-lite lacks; `custom_imports` may be another base's.
__import__('go4align_plugins.mmengine')
custom_hooks = [dict(type='go4align_plugins.mmengine.GO4AlignHook', num_groups=2, step_size=1e-4)]
