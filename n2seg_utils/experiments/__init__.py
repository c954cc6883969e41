"""Which method, how many annotations, which settings, for my images? Many trainings, one table."""
