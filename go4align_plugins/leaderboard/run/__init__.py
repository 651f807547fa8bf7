"""Train a plan: plan -> cells -> processes or Slurm -> store."""
