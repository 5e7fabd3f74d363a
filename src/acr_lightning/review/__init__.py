"""Looking through a run's labels: which are doubtful, the page that shows them, and the server that takes decisions."""
