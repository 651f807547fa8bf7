# Any weighting strategy of LibMTL's on top of any config; all but the gradients is kept.
# Another strategy, and its options by LibMTL's names:
#   --cfg-options custom_hooks.0.weighting=MGDA custom_hooks.0.weight_args.mgda_gn=l2
# What all tasks share is the model's backbone and neck, unless `shared` names patterns of
# parameters: dict(..., shared=['backbone', 'decode_head.fusion*']).
# A config that has `custom_hooks` of its own names the wrapper instead, and so does a command line:
#   --cfg-options optim_wrapper.type=LibMTLOptimWrapper optim_wrapper.weighting=MGDA

# Reading is early enough to mend what mmcv-lite lacks; `custom_imports` may be another base's.
__import__('go4align_plugins.mmengine')
custom_hooks = [
    dict(type='go4align_plugins.mmengine.LibMTLHook', weighting='PCGrad', weight_args=dict())
]
