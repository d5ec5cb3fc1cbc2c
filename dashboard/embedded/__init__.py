"""The database and the queue that come with the packages, for machines that have neither."""
