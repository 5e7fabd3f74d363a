"""What a CPU cannot say about the GPU path, asked of a GPU itself."""
