"""What must survive kills, full disks, damaged files and long trainings: `make faults`."""
