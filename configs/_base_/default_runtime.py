default_scope = 'mmseg'
custom_imports = dict(imports=['go4align_plugins.mmseg'], allow_failed_imports=False)
env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='MTLVisualizer', vis_backends=vis_backends, name='visualizer')
log_processor = dict(by_epoch=True)
# Another seed: --cfg-options randomness.seed=1
randomness = dict(seed=0)
log_level = 'INFO'
load_from = None
resume = False
