"""Status pages: what strangers see of our uptime."""
