"""Real recordings into the simulated domain, and what a recogniser trained on simulation then makes of them."""
