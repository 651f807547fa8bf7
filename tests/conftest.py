import importlib.util
import os

import torch

# The tests' tensors are small: more threads cost more than they bring, here and in what is started.
os.environ['OMP_NUM_THREADS'] = '1'
torch.set_num_threads(1)
# As in a user's shell; some containers set it, and hide what is printed too late.
os.environ.pop('PYTHONUNBUFFERED', None)

if importlib.util.find_spec('hypothesis'):
    from hypothesis import settings

    # The same inputs in every run: what fails here fails again. `make fuzz` draws others.
    settings.register_profile('same', derandomize=True, database=None)
    settings.load_profile('same')
