# Equal weighting: the sum of the losses, as MMEngine trains.
custom_hooks = []
