_base_ = './segformer_mit-b0_ew_cityscapes-128x256.py'
tasks = ['segmentation']
model = dict(tasks=tasks)
train_dataloader = dict(dataset=dict(tasks=tasks))
val_dataloader = dict(dataset=dict(tasks=tasks))
test_dataloader = val_dataloader
val_evaluator = dict(metrics=[dict(type='MTLSegmentationMetric')])
test_evaluator = val_evaluator
