"""Quality beside what it costs and how fast it is: by deployment, model and task."""
