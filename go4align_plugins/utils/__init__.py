"""Files written aside and renamed, run folders, optional imports."""
