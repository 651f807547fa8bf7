import os

import torch

# The tests' tensors are small: more threads cost more than they bring, here and in what is started.
os.environ['OMP_NUM_THREADS'] = '1'
torch.set_num_threads(1)
