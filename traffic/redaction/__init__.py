"""What is taken out of texts before anything is stored. Pure."""
