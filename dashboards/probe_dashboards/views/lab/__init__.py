"""What the lab shows, as plain data: pure functions of a model's answers."""
