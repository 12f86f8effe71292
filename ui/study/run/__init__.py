"""Studies as they run and when they are decided: the queue, the board, the results."""
