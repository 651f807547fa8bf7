# CityScapes in MTAN's layout: 7 classes and inverse depth at 128 x 256.
_base_ = './nyuv2.py'
dataset_type = 'MTLCityscapesDataset'
data_root = 'data/cityscapes'
train_dataloader = dict(dataset=dict(type=dataset_type, data_root=data_root))
val_dataloader = dict(dataset=dict(type=dataset_type, data_root=data_root))
test_dataloader = val_dataloader

val_evaluator = dict(metrics=[dict(type='MTLSegmentationMetric'), dict(type='MTLDepthMetric')])
test_evaluator = val_evaluator
