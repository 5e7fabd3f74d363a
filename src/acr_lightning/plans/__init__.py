"""Plans of `acr compare`: the runs that a plan's file asks for, and how long those take that are not done."""
