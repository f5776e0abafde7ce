"""What the trainings of ``train``, ``refine`` and ``segment`` have in common."""
