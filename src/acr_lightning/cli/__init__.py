"""The command `acr`: a light dispatcher, experiment files, and the Lightning command line underneath."""
