# NYUv2 in MTAN's layout: 13 classes, depth in metres, surface normals.
dataset_type = 'MTLNYUv2Dataset'
data_root = 'data/nyuv2'
train_pipeline = [
    dict(type='LoadMTLFrame'),
    dict(type='MTLScaleCrop'),
    dict(type='MTLRandomFlip', prob=0.5),
    dict(type='PackMTLInputs'),
]
test_pipeline = [dict(type='LoadMTLFrame'), dict(type='PackMTLInputs')]
train_dataloader = dict(
    batch_size=8,
    num_workers=4,
    drop_last=True,
    worker_init_fn=dict(type='seed_worker'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type=dataset_type, data_root=data_root, split='train', pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type=dataset_type, data_root=data_root, split='val', pipeline=test_pipeline),
)
test_dataloader = val_dataloader

# delta_m is against the paper's single-task row.
val_evaluator = dict(
    type='MTLDeltaM',
    metrics=[
        dict(type='MTLSegmentationMetric'),
        dict(type='MTLDepthMetric'),
        dict(type='MTLNormalMetric'),
    ],
)
test_evaluator = val_evaluator
