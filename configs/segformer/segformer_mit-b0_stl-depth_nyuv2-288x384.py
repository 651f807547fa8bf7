_base_ = './segformer_mit-b0_ew_nyuv2-288x384.py'
tasks = ['depth']
model = dict(tasks=tasks)
train_dataloader = dict(dataset=dict(tasks=tasks))
val_dataloader = dict(dataset=dict(tasks=tasks))
test_dataloader = val_dataloader
val_evaluator = dict(metrics=[dict(type='MTLDepthMetric')])
test_evaluator = val_evaluator
