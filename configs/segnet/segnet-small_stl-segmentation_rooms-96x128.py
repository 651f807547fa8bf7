_base_ = './segnet-small_ew_rooms-96x128.py'
tasks = ['segmentation']
model = dict(tasks=tasks)
train_dataloader = dict(dataset=dict(tasks=tasks))
val_dataloader = dict(dataset=dict(tasks=tasks))
test_dataloader = val_dataloader
val_evaluator = dict(metrics=[dict(type='MTLSegmentationMetric')])
test_evaluator = val_evaluator
