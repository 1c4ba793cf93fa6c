"""The methods that the table compares, a family a file: `MODELS` are what is trained, `ROWS` what is read."""
