"""Care for data: what is wrong with a data set or with labels, and getting the public data sets."""
